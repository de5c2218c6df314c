"""Sound below all voices: a constant offset, mains hum, wind, footsteps, an engine.

Where it is far louder than the voice, detection and recognition hear nothing else. It is taken out
of such tracks only: a filter costs time, and most recorders have one.
"""

from __future__ import annotations

import numpy as np

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.stages.channels import Samples

_LOWEST = 75.0  # Hz; the lowest voices are at 80
_REACH = SAMPLE_RATE // 20  # samples before and after one that count for it


def _high_pass() -> FloatArray:
    """A filter of 2 * _REACH + 1 samples that keeps what is above _LOWEST."""
    time = np.arange(-_REACH, _REACH + 1) / SAMPLE_RATE
    low_pass = np.sinc(2 * _LOWEST * time) * np.hanning(len(time) + 2)[1:-1]
    kernel = -low_pass / low_pass.sum()
    kernel[_REACH] += 1.0
    return np.asarray(kernel, np.float32)


class WithoutRumble(Samples):
    """Samples that wait on disk, with what lies below all voices taken out as they are read."""

    def __init__(self, samples: Samples) -> None:
        super().__init__(samples.path, samples.channels)
        self._kernel = _high_pass()

    def read(self, start: int, end: int) -> FloatArray:
        """The samples from one index to another, or fewer at the end."""
        end = min(end, len(self))
        if end <= start:
            return super().read(start, end)
        first, last = max(start - _REACH, 0), min(end + _REACH, len(self))
        around = (first - start + _REACH, end + _REACH - last)  # an offset does not begin here
        found = np.pad(super().read(first, last), (around, (0, 0)), "reflect", reflect_type="odd")
        size = len(found) + 2 * _REACH
        spectrum = np.fft.rfft(found, size, axis=0) * np.fft.rfft(self._kernel, size)[:, None]
        filtered = np.fft.irfft(spectrum, size, axis=0)[2 * _REACH : 2 * _REACH + end - start]
        return np.asarray(filtered, np.float32)
