"""A recording that is read window by window."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from daemon.audio import FloatArray

_FULL_SCALE = 32_767


class Recording:
    """An .npy of 16 kHz, float32 or int16, of shape (samples,) or (samples, channels).

    It is mapped anew for each reading: what was read of it does not stay in this process's memory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.length = len(np.load(path, mmap_mode="r"))

    def read(self, start: int, end: int) -> FloatArray:
        """The samples from one index to another, or fewer at the end; full scale is 1."""
        part = np.load(self._path, mmap_mode="r")[start:end]
        scale = np.float32(1 / _FULL_SCALE if part.dtype == np.int16 else 1.0)
        return np.asarray(part * scale, np.float32)
