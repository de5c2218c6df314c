"""wav2vec 2.0's convolutional feature extractor, as matrix products over rows of channels."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from daemon.alignment.architecture import Architecture
from daemon.alignment.layers import Layers
from daemon.audio import FloatArray

_EPSILON = 1e-5  # of the convolutions' norms, whatever the config says of the other norms
_FIRST = "feature_extractor.conv_layers.0"

Float64Array = NDArray[np.float64]


class FeatureExtractor:
    """From a waveform to frames of features."""

    def __init__(
        self, architecture: Architecture, weights: Mapping[str, Tensor], device: str
    ) -> None:
        names = [name for name in weights if name.startswith("feature_extractor.")]
        self._architecture = architecture
        self._layers = Layers({name: weights[name] for name in names}, device)
        self._first_kernel = _float64(weights[f"{_FIRST}.conv.weight"][:, 0].T)
        self._gain = _float64(weights[f"{_FIRST}.layer_norm.weight"])
        self._bias = _float64(weights[f"{_FIRST}.layer_norm.bias"])
        self._kernels = [
            self._layers.weights.pop(f"feature_extractor.conv_layers.{layer}.conv.weight")
            .permute(2, 1, 0)
            .contiguous()
            for layer in range(len(architecture.conv_kernel))
        ]

    def __call__(self, waveform: FloatArray) -> Tensor:
        """(samples,) -> (frames, channels)."""
        rows = self._first_layer(waveform)
        for layer, stride in list(enumerate(self._architecture.conv_stride))[1:]:
            rows = convolve(rows, self._kernels[layer], stride)
            rows = self._finish(f"feature_extractor.conv_layers.{layer}", rows)
        return rows

    def _first_layer(self, waveform: FloatArray) -> Tensor:
        """(samples,) -> (rows, channels).

        A group norm needs each channel's mean and variance over time. The convolution is linear,
        so both follow from those of its windows, and the norm is folded into kernel and bias.
        """
        stride, kernel = self._architecture.conv_stride[0], self._first_kernel
        windows = np.lib.stride_tricks.sliding_window_view(waveform, len(kernel))[::stride]
        if self._architecture.feat_extract_norm == "layer":
            return self._finish(_FIRST, self._tensor(windows) @ self._kernels[0][:, 0])
        centred = windows.astype(np.float64)
        mean = centred.mean(axis=0)
        centred -= mean
        covariance = centred.T @ centred / len(centred)
        gain = self._gain / np.sqrt(((covariance @ kernel) * kernel).sum(axis=0) + _EPSILON)
        shift = self._tensor(self._bias - mean @ kernel * gain)
        rows = torch.addmm(shift, self._tensor(windows), self._tensor(kernel * gain))
        return torch.ops.aten.gelu_(rows)

    def _finish(self, name: str, rows: Tensor) -> Tensor:
        bias = self._layers.weights.get(f"{name}.conv.bias")
        if bias is not None:
            rows += bias
        if self._architecture.feat_extract_norm == "layer":
            rows = self._layers.norm(f"{name}.layer_norm", rows, _EPSILON)
        return torch.ops.aten.gelu_(rows)

    def _tensor(self, array: FloatArray | Float64Array) -> Tensor:
        return torch.from_numpy(array.astype(np.float32)).to(self._layers.device)


def convolve(rows: Tensor, kernel: Tensor, stride: int) -> Tensor:
    """A convolution without padding, as products of views.

    (rows, in) and (taps, in, out) -> (rows, out).
    """
    count = (len(rows) - len(kernel)) // stride + 1
    step = stride * rows.shape[1]
    convolved = rows.new_empty(count, kernel.shape[2])
    for first in range(0, len(kernel), stride):
        columns = kernel[first : first + stride].flatten(0, 1)
        offset = rows.storage_offset() + first * rows.shape[1]
        windows = rows.as_strided((count, len(columns)), (step, 1), offset)
        torch.addmm(convolved, windows, columns, beta=min(first, 1), out=convolved)
    return convolved


def _float64(tensor: Tensor) -> Float64Array:
    array: Float64Array = tensor.double().numpy()
    return array
