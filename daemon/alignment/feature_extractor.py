"""wav2vec 2.0's convolutional feature extractor, as matrix products over rows of channels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.lib.stride_tricks import as_strided, sliding_window_view

from daemon.alignment import kernels
from daemon.alignment.architecture import Architecture
from daemon.audio import FloatArray

_EPSILON = 1e-5  # of the convolutions' norms, whatever the config says of the other norms
_PAIRS = 192  # of results that are made together: all that they need stays in cache
_LAYERS = "feature_extractor.conv_layers"


class FeatureExtractor:
    """From a waveform to frames of features."""

    def __init__(self, architecture: Architecture, weights: Mapping[str, FloatArray]) -> None:
        self._architecture = architecture
        self._weights = weights
        self._by_channel = architecture.feat_extract_norm == "layer"
        self._kernels = [
            np.ascontiguousarray(weights[f"{_LAYERS}.{layer}.conv.weight"].transpose(2, 1, 0))
            for layer in range(len(architecture.conv_kernel))
        ]
        self._ends = [
            kernel[0] + kernel[2] if len(kernel) == 3 else None for kernel in self._kernels
        ]

    def first_kernel(self, waveform: FloatArray) -> FloatArray:
        """The first layer's kernel for this waveform, its last row the bias: (taps + 1, channels).

        A group norm needs each channel's mean and variance over time. The convolution is linear,
        so both follow from those of its windows, and the norm is folded into kernel and bias.
        """
        kernel = self._kernels[0][:, 0]
        if self._by_channel:
            bias = self._weights.get(f"{_LAYERS}.0.conv.bias", np.zeros(kernel.shape[1]))
            return np.vstack([kernel, bias]).astype(np.float32)
        centred = self._windows(waveform).astype(np.float64)
        mean = centred.mean(axis=0)
        centred -= mean
        covariance = centred.T @ centred / len(centred)
        variance = ((covariance @ kernel) * kernel).sum(axis=0)
        gain = self._weights[f"{_LAYERS}.0.layer_norm.weight"] / np.sqrt(variance + _EPSILON)
        bias = self._weights[f"{_LAYERS}.0.layer_norm.bias"] - mean @ kernel * gain
        return np.vstack([kernel * gain, bias]).astype(np.float32)

    def __call__(
        self, waveform: FloatArray, first_kernel: FloatArray, first: int, end: int
    ) -> FloatArray:
        """The features of the frames from `first` to before `end`: (frames, channels)."""
        size = self._architecture
        begin = first * size.hop
        heard = waveform[begin : begin + (end - first - 1) * size.hop + size.receptive_field]
        windows = self._windows(heard)
        # The bias is one more product.
        rows = np.concatenate([windows, np.ones((len(windows), 1), np.float32)], axis=1)
        rows = self._finish(0, rows @ first_kernel)
        for layer, stride in list(enumerate(size.conv_stride))[1:]:
            rows = self._finish(layer, self._convolve(layer, rows, stride))
        return rows

    def _windows(self, waveform: FloatArray) -> FloatArray:
        """What each row of the first layer hears: (rows, taps), a view."""
        size = self._architecture
        windows: FloatArray = sliding_window_view(waveform, size.conv_kernel[0])
        return windows[:: size.conv_stride[0]]

    def _convolve(self, layer: int, rows: FloatArray, stride: int) -> FloatArray:
        kernel, ends = self._kernels[layer], self._ends[layer]
        if stride == 2 and ends is not None:
            convolved = convolve_by_pairs(rows, kernel, ends)
        else:
            convolved = convolve(rows, kernel, stride)
        bias = self._weights.get(f"{_LAYERS}.{layer}.conv.bias")
        if bias is not None:
            convolved += bias
        return convolved

    def _finish(self, layer: int, rows: FloatArray) -> FloatArray:
        if self._by_channel:
            name = f"{_LAYERS}.{layer}.layer_norm"
            weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
            kernels.layer_norm(rows, weight, bias, _EPSILON)
        return kernels.gelu(rows)


def convolve(rows: FloatArray, kernel: FloatArray, stride: int) -> FloatArray:
    """A convolution without padding, as products of views.

    (rows, in) and (taps, in, out) → (rows, out).
    """
    count = (len(rows) - len(kernel)) // stride + 1
    channels, value = rows.shape[1], rows.itemsize
    convolved: FloatArray | None = None
    for first in range(0, len(kernel), stride):
        columns = kernel[first : first + stride].reshape(-1, kernel.shape[2])
        steps = (stride * channels * value, value)
        windows = as_strided(rows[first:], (count, len(columns)), steps, writeable=False)
        product = windows @ columns
        convolved = product if convolved is None else np.add(convolved, product, out=convolved)
    assert convolved is not None
    return convolved


def convolve_by_pairs(rows: FloatArray, kernel: FloatArray, ends: FloatArray) -> FloatArray:
    """As `convolve` with three taps and a stride of 2, with five products where that needs six.

    Of five rows a b c d e, two results are made: aK₀ + bK₁ + cK₂ and cK₀ + dK₁ + eK₂. With
    `ends` = K₀ + K₂, these are (a - c)K₀ + bK₁ and dK₁ + (e - c)K₂, and c `ends` more each: minimal
    filtering (Winograd 1980; Lavin and Gray, arXiv 1509.09308). Overwrites `rows`.
    """
    count, outputs = (len(rows) - 3) // 2 + 1, kernel.shape[2]
    pairs, channels = count // 2, rows.shape[1]
    convolved = np.empty((count, outputs), np.float32)
    if count % 2:
        last = rows[4 * pairs : 4 * pairs + 3].reshape(1, -1)
        convolved[-1:] = last @ kernel.reshape(-1, outputs)
    first_taps, last_taps = kernel[:2].reshape(-1, outputs), kernel[1:].reshape(-1, outputs)
    results = convolved[: 2 * pairs].reshape(pairs, 2 * outputs)
    by_four = rows[: 4 * pairs].reshape(pairs, 4 * channels)
    e = rows[4 : 4 * pairs + 1 : 4]
    later = np.empty((min(pairs, _PAIRS), 2 * channels), np.float32)
    for begin in range(0, pairs, _PAIRS):
        part = slice(begin, begin + _PAIRS)
        four, result = by_four[part], results[part]
        a, c = four[:, :channels], four[:, 2 * channels : 3 * channels]
        both = c @ ends
        late = later[: len(four)]
        late[:, :channels] = four[:, 3 * channels :]
        np.subtract(e[part], c, late[:, channels:])
        np.add(late @ last_taps, both, result[:, outputs:])
        np.subtract(a, c, a)
        np.add(four[:, : 2 * channels] @ first_taps, both, result[:, :outputs])
    return convolved
