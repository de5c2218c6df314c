"""What every room that works on audio agrees on: its rate, its types, and its form on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz; Whisper and wav2vec2 were both trained on it

FloatArray = NDArray[np.float32]
Int16Array = NDArray[np.int16]
Span = tuple[float, float]  # (start, end) in seconds

_FULL_SCALE = 32_767
INT16_STEP = np.float32(1 / _FULL_SCALE)


class Waveform(Protocol):
    """Audio of 16 kHz, mono, that is read slice by slice: float32 in [-1, 1], shape (samples,)."""

    def __len__(self) -> int: ...

    def __getitem__(self, span: slice, /) -> FloatArray: ...


class Recording:
    """Satisfies `Waveform`: an .npy of 16 kHz, int16, of shape (samples,) or (samples, channels).

    It is mapped anew for each reading: what was read of it does not stay in this process's memory.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._length = len(np.load(path, mmap_mode="r"))

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, span: slice, /) -> FloatArray:
        return np.asarray(self.int16(span) * INT16_STEP, np.float32)

    def int16(self, span: slice) -> Int16Array:
        """As it lies on disk; times `INT16_STEP` it is what `[]` returns."""
        part: Int16Array = np.load(self._path, mmap_mode="r")[span]
        return part

    def read(self, start: int, end: int) -> FloatArray:
        """The samples from one index to another, or fewer at the end."""
        return self[start:end]


def to_int16(samples: FloatArray) -> Int16Array:
    """As `Recording` keeps it. Samples beyond full scale are clipped."""
    return np.rint(np.clip(samples, -1.0, 1.0) * _FULL_SCALE).astype("<i2")
