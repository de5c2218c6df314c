"""wav2vec 2.0's convolutional positional embedding, through Fourier transforms.

Its kernels have 128 taps, and every one of 16 groups of channels has its own: as products that is
most of a transformer layer's work, and in narrow matrices. Overlap-save (Stockham 1966) needs a
tenth of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from daemon.alignment import kernels
from daemon.audio import FloatArray

Piece = tuple[int, int, int, int]  # a segment's first frame and end, the piece's first and end

_LENGTHS = 4  # of the kernel in a transform


class PositionalEmbedding:
    """`weight` has shape (width, width / groups, taps), `bias` (width,)."""

    def __init__(self, weight: FloatArray, bias: FloatArray, groups: int) -> None:
        self._bias = bias
        self._groups = groups
        self._taps = weight.shape[2]
        self._length = _LENGTHS * self._taps
        self._step = self._length - self._taps + 1
        spectra = np.fft.rfft(weight, self._length).conj()  # correlated, not convolved
        by_group = spectra.reshape(groups, -1, *spectra.shape[1:])  # groups, out, in, frequency
        self._spectra = np.ascontiguousarray(by_group.transpose(3, 0, 2, 1), np.complex64)

    def pieces(self, segments: Sequence[tuple[int, int]]) -> Iterator[Piece]:
        """What `__call__` can do at a time."""
        for a, b in segments:
            for first in range(a, b, self._step * 4):
                yield a, b, first, min(first + self._step * 4, b)

    def __call__(self, hidden: FloatArray, piece: Piece) -> FloatArray:
        """The embedding of a piece: (frames, width) → (its frames, width)."""
        a, b, first, end = piece
        count = -(-(end - first) // self._step)
        before = self._taps // 2
        begin, after = first - before, first - before + (count - 1) * self._step + self._length
        inside = hidden[max(begin, a) : min(after, b)]
        padded = np.zeros((hidden.shape[1], after - begin), np.float32)
        padded[:, max(a - begin, 0) :][:, : len(inside)] = inside.T
        windows = np.lib.stride_tricks.sliding_window_view(padded, self._length, axis=1)
        embedded = self._filter(windows[:, :: self._step])
        embedded = np.ascontiguousarray(embedded.reshape(len(embedded), -1)[:, : end - first].T)
        embedded += self._bias
        return kernels.gelu(embedded)

    def _filter(self, windows: FloatArray) -> FloatArray:
        """(width, windows, length) → (width, windows, step)."""
        width, count, _ = windows.shape
        spectra = np.fft.rfft(windows).reshape(self._groups, -1, count, self._length // 2 + 1)
        turned = np.ascontiguousarray(spectra.transpose(3, 0, 2, 1), np.complex64)
        products: NDArray[np.complex64] = turned @ self._spectra  # frequency, groups, windows, out
        back = np.ascontiguousarray(products.transpose(1, 3, 2, 0)).reshape(width, count, -1)
        return np.fft.irfft(back, self._length)[..., : self._step].astype(np.float32, copy=False)
