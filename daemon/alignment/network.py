"""What alignment asks of an acoustic model, whoever runs it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from daemon.audio import FloatArray


class Network(Protocol):
    """A CTC network on one device."""

    @property
    def shortest(self) -> int:
        """The fewest samples that a waveform may have."""
        ...

    def __call__(self, waveforms: Sequence[FloatArray]) -> list[FloatArray]:
        """Log-probabilities, shape (frames, characters), for each waveform of shape (samples,)."""
        ...


class HostNetwork(Network, Protocol):
    """A network on the CPU."""

    def to(self, device: str) -> Network:
        """The same network on a device: "cpu", "mlx" (a Mac's GPU through MLX), "mps" or "cuda"."""
        ...
