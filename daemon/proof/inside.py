"""What a process sees of the machine: run once in the terminal and once by launchd, and compared.

python -m daemon.proof.inside      prints one JSON object
"""

from __future__ import annotations

import ctypes
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.files.answering import answer_within
from daemon.service.program import running_program

_LOOK_SECONDS = 5.0
_TRIALS = 5
_HOME = {
    "desktop": "Desktop",
    "documents": "Documents",
    "downloads": "Downloads",
    "icloud_drive": "Library/Mobile Documents/com~apple~CloudDocs",
}
# sys/resource.h of macOS
_DATALESS_POLICY, _OF_PROCESS = 3, 0
_POLICIES = {0: "default", 1: "off", 2: "on"}


def look(folder: Path, seconds: float = _LOOK_SECONDS) -> str:
    """ok, denied, blocked or absent: listing is what macOS asks consent for."""
    try:
        answer_within(seconds, lambda: os.listdir(folder))  # noqa: PTH208 - names are not kept
    except TimeoutError:
        return "blocked"
    except PermissionError:
        return "denied"
    except OSError:
        return "absent"
    return "ok"


def looks(home: Path, volumes: Path = Path("/Volumes")) -> dict[str, Any]:
    """A word for each guarded folder; of the volumes how many answer how, without their names."""
    found: dict[str, Any] = {name: look(home / place) for name, place in _HOME.items()}
    try:
        mounted = [path for path in volumes.iterdir() if not path.is_symlink()]
    except OSError:
        mounted = []
    answers = [look(path) for path in mounted]
    found["volumes"] = {answer: answers.count(answer) for answer in sorted(set(answers))}
    return found


def dataless_policy() -> str:
    """Whether reading a file that is in iCloud fetches it: getiopolicy_np(3)."""
    if sys.platform != "darwin":
        return "not macOS"
    value = ctypes.CDLL(None).getiopolicy_np(_DATALESS_POLICY, _OF_PROCESS)
    return _POLICIES.get(value, "unknown")


def priority() -> int | None:
    """As ps(1) shows it: on macOS 31 and more is not throttled, 20 is Standard, 4 Background."""
    done = subprocess.run(
        ["ps", "-o", "pri=", "-p", str(os.getpid())], capture_output=True, text=True, check=False
    )
    text = done.stdout.strip()
    return int(text) if text.isdecimal() else None


def timed_run() -> dict[str, Any]:
    """Seconds of the same products, by MLX where it is, on its default device; a median."""
    device, product = _product()
    product()  # the first call compiles
    seconds = []
    for _ in range(_TRIALS):
        begun = time.perf_counter()
        product()
        seconds.append(time.perf_counter() - begun)
    return {"device": device, "seconds": round(statistics.median(seconds), 5)}


def _product() -> tuple[str, Callable[[], object]]:
    try:
        import mlx.core as mx  # noqa: PLC0415 - not everywhere
    except ImportError:
        import numpy as np  # noqa: PLC0415

        square = np.ones((512, 512), np.float32)
        return "numpy", lambda: square @ square
    on_gpu = mx.default_device() != mx.cpu
    size, times, dtype = (2048, 40, mx.float16) if on_gpu else (256, 4, mx.float32)
    matrix = mx.random.normal((size, size)).astype(dtype) / size

    def multiply() -> None:
        product = matrix
        for _ in range(times):
            product = product @ matrix
        mx.eval(product)

    return "gpu" if on_gpu else "cpu", multiply


def report() -> dict[str, Any]:
    program = running_program()
    return {
        "priority": priority(),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "dataless_policy": dataless_policy(),
        "in_an_app": any(part.suffix == ".app" for part in program.parents),
        "run": timed_run(),
        "looks": looks(Path.home()),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(report()) + "\n")
