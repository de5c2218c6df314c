"""Weights by name, and the two layers that every part of the network is made of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

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


def bounds(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Where pieces of these lengths start and end when they lie one behind the other."""
    return list(pairwise(accumulate(lengths, initial=0)))
