"""A recording that is read window by window."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from daemon.audio import FloatArray


class Recording:
    """An .npy of 16 kHz mono float32. It is mapped anew for each reading: what was read of a long
    recording does not stay in this process's memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.length = len(np.load(path, mmap_mode="r"))

    def read(self, start: int, end: int) -> FloatArray:
        """The samples from one index to another, or fewer at the end."""
        return np.array(np.load(self._path, mmap_mode="r")[start:end], np.float32)
