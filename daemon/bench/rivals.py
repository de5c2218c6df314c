"""Every rival that is installed, on the same random weights and the same number of tokens.

Each runs in a process of its own, one after another, ours first. How long a step takes does not
depend on what the weights say, so nothing is downloaded; word errors are the transcription part's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

from daemon.bench.measurement import Measurement
from daemon.bench.table import OURS

_LONGEST = 600.0  # seconds that a rival may take


@dataclass(frozen=True, slots=True)
class Rival:
    """A system of `rival_child`, the package that it needs, and the batch sizes to try."""

    name: str
    package: str
    batches: Sequence[int]
    clip: bool = True  # whether it is measured on one short clip, too
    gpu_only: bool = False


RIVALS = (
    Rival(OURS, "mlx", (0,)),
    Rival("faster-whisper", "faster_whisper", (24,)),
    Rival("transformers", "transformers", (24,), clip=False),
    Rival("transformers, compiled", "transformers", (24,), clip=False, gpu_only=True),
    Rival("mlx_whisper", "mlx_whisper", (24,)),
    Rival("mlx-whisperx", "mlx_whisperx", (24, 8), clip=False),
    Rival("vayu-whisper", "whisper_mlx", (24,), clip=False),
    Rival("lightning-whisper-mlx", "lightning_whisper_mlx", (12,), clip=False),
)


def measure(
    size: str, rounds: int, environment: Mapping[str, str], *, gpu: bool, names: Sequence[str] = ()
) -> Iterator[Measurement]:
    """24 windows of 30 s with 100 tokens in each, and one clip of 10 s with 34 tokens."""
    for clip in (False, True):
        for rival in RIVALS:
            if names and rival.name not in names:
                continue
            if (clip and not rival.clip) or (rival.gpu_only and not gpu):
                continue
            if find_spec(rival.package) is None:
                continue
            for batch in rival.batches[:1] if clip else rival.batches:
                work = ["--clip"] if clip else []
                options = ["--size", size, "--rounds", str(rounds), "--batch", str(batch), *work]
                yield from _child([rival.name, *options], environment)


def _child(options: Sequence[str], environment: Mapping[str, str]) -> list[Measurement]:
    """What one rival took; a rival that fails or hangs is said, and left out."""
    command = [sys.executable, "-m", "daemon.bench.rival_child", *options]
    surroundings = os.environ | dict(environment) | {"HF_HUB_OFFLINE": "1"}
    try:
        ended = subprocess.run(
            command, env=surroundings, capture_output=True, text=True, check=True, timeout=_LONGEST
        )
    except subprocess.SubprocessError as error:
        reason = str(getattr(error, "stderr", "") or error).strip().splitlines()[-1]
        sys.stderr.write(f"{options[0]} could not be measured: {reason}\n")
        return []
    lines = (line for line in ended.stdout.splitlines() if line.startswith("{"))
    return [Measurement.from_json(line) for line in lines]


def headline(rows: Sequence[Measurement]) -> str:
    """Ours against the best peer of each table."""
    lines: list[str] = []
    for table in dict.fromkeys(row.table for row in rows):
        ours = next((r for r in rows if r.table == table and r.system.startswith(OURS)), None)
        peers = [r for r in rows if r.table == table and not r.system.startswith(OURS)]
        if ours is not None and peers:
            best = min(peers, key=lambda row: row.median)
            lines.append(f"{table}: {best.median / ours.median:.2f} × the best peer, {best.system}")
    return "\n".join(lines)
