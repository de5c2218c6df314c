"""The GPU beside the CPU: the same recording through each backend, its stages apart."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from daemon.bench import peers
from daemon.bench.measurement import Measurement
from daemon.domain.transcript import Json

SPEED_UP = "× the CPU's speed"

_PARTS: Mapping[str, Callable[[Json], float]] = {
    "transcription, cold": lambda timing: timing["stages"]["transcribe"]["seconds"],
    "alignment, after the last segment": lambda timing: timing["stages"]["align"]["seconds"],
    "all of it": lambda timing: timing["total_seconds"],
}


def measure(recording: Path, model: str, backends: Sequence[str], rounds: int) -> list[Measurement]:
    """`dropscribe transcribe` in turn through `backends`, with `model`'s weights."""
    timings: dict[str, list[Json]] = {backend: [] for backend in backends}
    for _ in range(rounds):
        for backend, runs in timings.items():
            runs.append(_transcribe(recording, model, backend))
    return [
        row
        for part, seconds in _PARTS.items()
        for row in _rows(f"{recording.stem}, {model}: {part}", timings, seconds)
    ]


def _rows(
    table: str, timings: Mapping[str, Sequence[Json]], seconds: Callable[[Json], float]
) -> list[Measurement]:
    """The CPU first; MLX says how many times faster it is, or how much slower: below 1."""
    rows = {name: _row(table, name, runs, seconds) for name, runs in timings.items()}
    cpu, gpu = rows.get("ctranslate2"), rows.get("mlx")
    if cpu is not None and gpu is not None and gpu.median:
        speed_up = {SPEED_UP: round(cpu.median / gpu.median, 2)}
        rows["mlx"] = replace(gpu, notes={**speed_up, **gpu.notes})
    return sorted(rows.values(), key=lambda row: row is not cpu)


def speed_ups(rows: Sequence[Measurement]) -> dict[str, float]:
    """How many times faster MLX was than the CPU, for each table that has both."""
    return {row.table: float(row.notes[SPEED_UP]) for row in rows if SPEED_UP in row.notes}


def _row(
    table: str, backend: str, runs: Sequence[Json], seconds: Callable[[Json], float]
) -> Measurement:
    row = Measurement(table, f"dropscribe ({backend})", tuple(map(seconds, runs)))
    if not row.median:  # nothing was said that could be aligned
        return row
    return replace(row, notes={"× real time": f"{runs[0]['audio_seconds'] / row.median:.1f}"})


def _transcribe(recording: Path, model: str, backend: str) -> Json:
    """The timing of one run in processes of its own. Raises DropscribeError."""
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as outbox:
        options = ["--model", model, "--backend", backend, "-o", outbox]
        peers.run(["daemon", "transcribe", str(recording), *options], os.environ)
        (found,) = Path(outbox).glob("*.timing.json")
        timing: Json = json.loads(found.read_bytes())
        return timing
