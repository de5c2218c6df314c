"""Files to words with times, cold start included: our command line beside a peer's, in turn."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from daemon import hardware, models
from daemon.bench.measurement import Measurement, Note, System, paired
from daemon.errors import DropscribeError


def measure(recording: Path, files: int, backends: Sequence[str], rounds: int) -> list[Measurement]:
    """Copies of `recording`, with the demo models for everybody."""
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as temporary:
        folder = Path(temporary)
        copies = _copies(recording, folder, files)
        systems = {
            f"dropscribe ({name})": System(partial(_ours, copies, name)) for name in backends
        }
        if hardware.has_mlx():
            systems["mlx_whisper + whisperx"] = System(partial(_peer, copies))
        table = f"{files} × {recording.stem} to aligned words, from the command line"
        return paired(table, systems, rounds, warm_up=False)


def _copies(recording: Path, folder: Path, count: int) -> list[Path]:
    """Files of different content: the same bytes twice would be one job."""
    copies = [folder / f"{recording.stem}-{index}{recording.suffix}" for index in range(count)]
    for index, copy in enumerate(copies):
        copy.write_bytes(recording.read_bytes() + bytes(index))
    return copies


def _ours(files: Sequence[Path], backend: str) -> Mapping[str, Note]:
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as outbox:
        options = ["--output-dir", outbox, "--model", models.DEMO, "--backend", backend]
        _run([sys.executable, "-m", "daemon", "transcribe", *options, *map(str, files)], os.environ)
        return {"files": len(list(Path(outbox).glob("*.srt")))}


def _peer(files: Sequence[Path]) -> Mapping[str, Note]:
    environment = os.environ | hardware.blas_environment(hardware.choose("mlx"))
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as outbox:
        for file in files:
            target = Path(outbox) / f"{file.stem}.json"
            _run(
                [sys.executable, "-m", "daemon.bench.peer", str(file), str(target)],
                environment,
            )
        return {"files": len(list(Path(outbox).glob("*.json")))}


def _run(command: Sequence[str], environment: Mapping[str, str]) -> None:
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if ended.returncode != 0:
        raise DropscribeError(f"`{' '.join(command[1:4])} …` failed: {ended.stderr[-300:].strip()}")
