"""`dropscribe bench`: ours and the peers that are installed, on the same work, taking turns."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import psutil

from daemon.bench import backends, latency, pipeline
from daemon.bench.measurement import Measurement
from daemon.bench.table import tables
from daemon.commands.verb import Verb
from daemon.errors import OK, DropscribeError
from daemon.models import hardware, registry

_PACKAGES = ("mlx", "mlx-whisper", "whispermlx", "whisperx", "faster-whisper", "openai-whisper")
_PARTS = ("transcription", "backends", "pipeline", "latency", "engine")
_RECORDING = registry.BUNDLED / "audio" / "meeting-60s.mp3"
_SHORT = registry.BUNDLED / "audio" / "memo-10s.wav"


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("recordings", nargs="*", type=Path, metavar="RECORDING")
    parser.add_argument("--only", choices=_PARTS, help="one part; by default all but engine")
    parser.add_argument("--model", default=registry.DEMO, help="for transcription and backends")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--files", type=int, default=10, help="of the pipeline part")
    parser.add_argument("--sizes", default="large-v3,large-v3-turbo", help="of the engine part")
    parser.add_argument("--png", type=Path, help="draw the tables into this file")
    parser.add_argument("--json", type=Path, help="write the measurements into this file")


def _run(arguments: argparse.Namespace) -> int:
    print(_machine(), end="\n\n")
    parts = [arguments.only] if arguments.only else [part for part in _PARTS if part != "engine"]
    measurements: list[Measurement] = []
    for part in parts:
        fresh = list(_measured(part, arguments))
        print(tables(fresh), end="\n\n", flush=True)
        measurements += fresh
    lines = "".join(json.dumps(asdict(each)) + "\n" for each in measurements)
    if arguments.json is not None:
        arguments.json.write_text(lines, encoding="utf-8")
    if arguments.png is not None:
        _child("chart", [str(arguments.png)], {}, lines)
        print(f"The chart is in {arguments.png}.")
    return OK


def _measured(part: str, arguments: argparse.Namespace) -> Iterator[Measurement]:
    recordings = arguments.recordings or [_SHORT if part == "latency" else _RECORDING]
    rounds = ["--rounds", str(arguments.rounds)]
    whole: Mapping[str, Callable[[Path], list[Measurement]]] = {
        "backends": lambda each: backends.measure(
            each, arguments.model, _backends(), arguments.rounds
        ),
        "pipeline": lambda each: pipeline.measure(
            each, arguments.files, _backends(), arguments.rounds
        ),
        "latency": lambda each: latency.measure(each, _backends(), arguments.rounds),
    }
    if part in whole:
        for recording in recordings:
            yield from whole[part](recording)
        return
    if part == "engine":
        blas = hardware.blas_environment(hardware.choose("mlx"))
        yield from _parsed(_child("engine", ["--sizes", arguments.sizes, *rounds], blas))
        return
    for backend in _backends():
        weights = registry.find(arguments.model, backend, os.environ)
        options = ["--backend", backend, "--model", str(weights.folder), *rounds]
        blas = hardware.blas_environment(hardware.choose(backend))
        yield from _parsed(_child("transcription", [*options, *map(str, recordings)], blas))


def _backends() -> Sequence[hardware.BackendName]:
    """Those that run here, the one that `auto` chooses first."""
    known: tuple[hardware.BackendName, ...] = ("mlx", "ctranslate2")
    runnable = [name for name in known if name != "mlx" or hardware.has_mlx()]
    chosen = hardware.choose("auto").name
    return sorted(runnable, key=lambda name: name != chosen)


def _child(
    module: str, options: Sequence[str], environment: dict[str, str], stdin: str = ""
) -> str:
    """What a child that loads the libraries answers; this process imports none of them."""
    ended = subprocess.run(
        [sys.executable, "-m", f"daemon.bench.{module}", *options],
        env=os.environ | environment | {"HF_HUB_OFFLINE": "1"},
        input=stdin,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise DropscribeError(f"The benchmark's {module} part failed; the reason stands above.")
    return ended.stdout


def _parsed(answer: str) -> Iterator[Measurement]:
    return map(Measurement.from_json, answer.splitlines())


def _machine() -> str:
    memory = psutil.virtual_memory().total / 2**30
    cores = psutil.cpu_count(logical=False) or psutil.cpu_count()
    backend = hardware.choose("auto")
    versions = [f"{name} {found}" for name in _PACKAGES if (found := _version(name))]
    return (
        f"{platform.platform()}, {_processor()}, {cores} cores, {memory:.0f} GB;"
        f" auto chooses {backend.name} on {backend.device}\n"
        f"Python {platform.python_version()}, {', '.join(versions)}"
    )


def _processor() -> str:
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
    with Path("/proc/cpuinfo").open(encoding="utf-8") as lines:
        names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
        return next(names, platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


VERB = Verb("bench", "measure this machine, beside the peers that are installed", _arguments, _run)
