"""Which device runs the network: an accelerator that is right and faster, otherwise the CPU."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np
import torch

from daemon.alignment.network import Network
from daemon.audio import SAMPLE_RATE, FloatArray

_TOLERANCE = 0.01  # in probability; a score is a mean of them and is good to 0.01
_MLX_TOLERANCE = 1e-3  # in log-probability: MLX computes in float32, too
_TEST_SECONDS = 4


@dataclass(frozen=True, slots=True)
class Trial:
    """A network's answer to the test signal, and how long it took when warm."""

    log_probs: FloatArray
    seconds: float


def accelerators() -> list[str]:
    """What there is here besides the CPU, the first choice first: MLX on a Mac, torch's devices."""
    found = {
        "mlx": _has_metal(),
        "mps": torch.backends.mps.is_available(),
        "cuda": torch.cuda.is_available(),
    }
    return [device for device, available in found.items() if available]


def _has_metal() -> bool:
    if find_spec("mlx") is None:
        return False
    import mlx.core as mx  # noqa: PLC0415 - not everywhere

    return bool(mx.metal.is_available())


def run_trial(network: Network) -> Trial:
    """Run `network` on a known signal: a voice-like rising tone in noise."""
    clock = np.arange(_TEST_SECONDS * SAMPLE_RATE) / SAMPLE_RATE
    noise = np.random.default_rng(0).normal(scale=0.01, size=len(clock))
    signal = (0.1 * np.sin(2 * np.pi * (100 + 50 * clock) * clock) + noise).astype(np.float32)
    network([signal])  # the first run pays for the device's start
    began = time.perf_counter()
    [log_probs] = network([signal])
    return Trial(log_probs, time.perf_counter() - began)


def place(
    network: Network,
    device: str,
    candidates: Callable[[], Sequence[str]] = accelerators,
    attempt: Callable[[Network], Trial] = run_trial,
) -> tuple[Network, str]:
    """The network on `device`, and the device's name; "auto" takes the first that proves itself."""
    if device != "auto":
        return network.to(device), device
    for candidate in candidates():
        moved = _proven(network, candidate, attempt)
        if moved is not None:
            return moved, candidate
    return network, "cpu"


def _proven(network: Network, device: str, attempt: Callable[[Network], Trial]) -> Network | None:
    """The network on `device`, if it is right there and faster."""
    try:
        moved = network.to(device)
        there, here = attempt(moved), attempt(network)
    except RuntimeError:  # an operation that the device lacks, or no memory left on it
        return None
    if there.seconds >= here.seconds or not _agree(device, there.log_probs, here.log_probs):
        return None
    return moved


def _agree(device: str, there: FloatArray, here: FloatArray) -> bool:
    if device == "mlx":
        same_path = bool((there.argmax(axis=-1) == here.argmax(axis=-1)).all())
        return same_path and bool(np.abs(there - here).max() < _MLX_TOLERANCE)
    return bool(np.abs(np.exp(there) - np.exp(here)).max() < _TOLERANCE)
