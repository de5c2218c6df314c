"""Memory that runs short while a batch is decoded: told by the system, or by an error of MLX."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable

import psutil

# In what MLX raises (github.com/ml-explore/mlx, issue 63, pull request 479), and CUDA's own words.
_SIGNS = (
    *("[metal::malloc]", "[malloc", "Unable to allocate", "out of memory", "Insufficient Memory"),
    "Command buffer execution failed",
)
_LEVEL = b"kern.memorystatus_vm_pressure_level"  # macOS: 1 normal, 2 warning, 4 critical
_CRITICAL = 4
_SCARCE = 0.03  # of a Linux machine's memory: below, its kernel begins to end processes
_LOOK_SECONDS = 1.0
_REST_SECONDS = 10.0  # until a smaller batch has had its effect


def is_out_of_memory(error: Exception) -> bool:
    """Whether a smaller batch may succeed where this one failed."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in _SIGNS)


def is_critical() -> bool:
    """Whether the system is about to end processes for want of memory."""
    if sys.platform == "darwin":
        return _pressure_level() >= _CRITICAL
    memory = psutil.virtual_memory()
    return bool(memory.available < memory.total * _SCARCE)


def _pressure_level() -> int:
    """1 where it cannot be known."""
    level = ctypes.c_int(1)
    size = ctypes.c_size_t(ctypes.sizeof(level))
    library = ctypes.CDLL(None)
    failed = library.sysctlbyname(_LEVEL, ctypes.byref(level), ctypes.byref(size), None, 0)
    return 1 if failed else level.value


class MemoryPressure:
    """Asked at every step of a batch; looks at the system once a second at most."""

    def __init__(
        self,
        look: Callable[[], bool] = is_critical,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._look = look
        self._clock = clock
        self._at = clock()

    def asks_for_less(self) -> bool:
        """Whether to take less memory now; then not again until that has had its effect."""
        now = self._clock()
        if now < self._at:
            return False
        found = self._look()
        self._at = now + (_REST_SECONDS if found else _LOOK_SECONDS)
        return found
