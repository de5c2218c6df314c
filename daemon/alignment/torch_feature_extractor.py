"""wav2vec 2.0's convolutional feature extractor, through torch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from daemon.alignment.architecture import Architecture
from daemon.alignment.torch_layers import Layers
from daemon.audio import FloatArray

_EPSILON = 1e-5  # of the convolutions' norms, whatever the config says of the other norms
_FIRST = "feature_extractor.conv_layers.0"


class FeatureExtractor:
    """From a waveform to frames of features."""

    def __init__(
        self, architecture: Architecture, weights: Mapping[str, Tensor], device: str
    ) -> None:
        names = [name for name in weights if name.startswith("feature_extractor.")]
        self._architecture = architecture
        self._layers = Layers({name: weights[name] for name in names}, device)
        self._exact_device = "cpu" if device == "mps" else device  # Metal has no float64
        self._first_kernel = self._exact(weights[f"{_FIRST}.conv.weight"][:, 0].T)
        self._gain = self._exact(weights[f"{_FIRST}.layer_norm.weight"])
        self._bias = self._exact(weights[f"{_FIRST}.layer_norm.bias"])
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
        samples = torch.from_numpy(waveform.astype(np.float32, copy=False)).to(self._exact_device)
        kernel = self._first_kernel
        windows = samples.unfold(0, len(kernel), self._architecture.conv_stride[0])
        if self._architecture.feat_extract_norm == "layer":
            return self._finish(_FIRST, self._here(windows) @ self._kernels[0][:, 0])
        centred = windows.double()
        mean = centred.mean(dim=0)
        centred -= mean
        covariance = centred.T @ centred / len(centred)
        gain = self._gain / (((covariance @ kernel) * kernel).sum(dim=0) + _EPSILON).sqrt()
        shift = self._here(self._bias - mean @ kernel * gain)
        rows = torch.addmm(shift, self._here(windows), self._here(kernel * gain))
        return torch.ops.aten.gelu_(rows)

    def _finish(self, name: str, rows: Tensor) -> Tensor:
        bias = self._layers.weights.get(f"{name}.conv.bias")
        if bias is not None:
            rows += bias
        if self._architecture.feat_extract_norm == "layer":
            rows = self._layers.norm(f"{name}.layer_norm", rows, _EPSILON)
        return torch.ops.aten.gelu_(rows)

    def _exact(self, tensor: Tensor) -> Tensor:
        return tensor.double().to(self._exact_device)

    def _here(self, tensor: Tensor) -> Tensor:
        return tensor.float().to(self._layers.device)


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
