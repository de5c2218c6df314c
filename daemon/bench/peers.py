"""The peers whose command lines are measured: what each needs, and how one file goes through it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from daemon.errors import DropscribeError
from daemon.models import hardware

# A peer's name, and the packages without which it cannot run.
PEERS: Mapping[str, Sequence[str]] = {
    "mlx_whisper + whisperx": ("mlx", "mlx_whisper", "whisperx"),
    "whispermlx": ("mlx", "mlx_whisper", "whispermlx"),
    "whisperx": ("whisperx",),
}


def installed(wanted: Sequence[str] = ()) -> list[str]:
    """Those that run here, of the `wanted` ones or of all."""
    names = wanted or PEERS
    return [name for name in PEERS if name in names if all(map(find_spec, PEERS[name]))]


def transcribe(peer: str, recording: Path, outbox: Path, cache: Path) -> None:
    """One file through `peer`, in a process of its own, as its command line works.

    `cache` is a folder that outlives the call, for a converted model. Raises DropscribeError.
    """
    environment = dict(os.environ) | {"HF_HUB_OFFLINE": "1"}
    if "mlx" in PEERS[peer]:
        environment |= hardware.blas_environment(hardware.choose("mlx"))
    run(["daemon.bench.peer_child", peer, str(recording), str(outbox), str(cache)], environment)


def run(module: Sequence[str], environment: Mapping[str, str]) -> None:
    """`python -m MODULE …`; raises DropscribeError with the end of what it complained of."""
    ended = subprocess.run(
        [sys.executable, "-m", *module],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise DropscribeError(f"`{' '.join(module[:3])} …` failed: {ended.stderr[-300:].strip()}")
