"""Weights by name, and the two layers that every part of the network is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

import torch
from torch import Tensor
from torch.nn import functional


class Layers:
    """The weights of a network on one device, under Hugging Face's names."""

    def __init__(self, weights: Mapping[str, Tensor], device: str) -> None:
        self.device = device
        self.weights = {name: tensor.to(device) for name, tensor in weights.items()}

    def linear(self, name: str, rows: Tensor) -> Tensor:
        """(rows, in) -> (rows, out)."""
        return functional.linear(rows, self.weights[f"{name}.weight"], self.weights[f"{name}.bias"])

    def add_linear(self, name: str, rows: Tensor, onto: Tensor) -> Tensor:
        """`onto` + linear(rows), in place: a residual connection without a copy."""
        weight = self.weights[f"{name}.weight"]
        return onto.add_(self.weights[f"{name}.bias"]).addmm_(rows, weight.T)

    def norm(self, name: str, rows: Tensor, epsilon: float) -> Tensor:
        """Layer norm over the channels: (rows, channels) -> the same."""
        weight = self.weights[f"{name}.weight"]
        bias = self.weights[f"{name}.bias"]
        return functional.layer_norm(rows, weight.shape, weight, bias, epsilon)


def convolve_as_product(
    rows: Tensor, weight: Tensor, bias: Tensor, padding: int, groups: int
) -> Tensor:
    """What `conv1d` does, with every window copied out: faster on a GPU where groups are narrow.

    (1, in, length), (out, in / groups, taps) and (out,) -> (1, out, length + 2 padding - taps + 1).
    """
    taps = weight.shape[-1]
    windows = functional.pad(rows[0], (padding, padding)).unfold(-1, taps, 1)  # in, length, taps
    by_group = windows.unflatten(0, (groups, -1)).transpose(1, 2).flatten(2)
    kernels = weight.flatten(1).unflatten(0, (groups, -1)).transpose(1, 2)
    products = torch.bmm(by_group, kernels)  # groups, length, out / groups
    return (products.transpose(1, 2).flatten(0, 1) + bias[:, None])[None]


def bounds(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Where pieces of these lengths start and end when they lie one behind the other."""
    return list(pairwise(accumulate(lengths, initial=0)))
