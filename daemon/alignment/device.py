"""Which device runs the network: an accelerator that is right and faster, otherwise the CPU.

It is tried once for a model, a machine and the versions of what computes; the answer is kept, and
later aligners neither measure nor import what they will not use.
"""

from __future__ import annotations

import json
import platform
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from daemon import __version__
from daemon.alignment.network import HostNetwork, Network
from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.files.atomic import write_json
from daemon.models import hardware

_TOLERANCE = 0.01  # in probability; a score is a mean of them and is good to 0.01
_MLX_TOLERANCE = 1e-3  # in log-probability: MLX computes in float32, too
_TEST_SECONDS = 4
_LIBRARIES = ("numpy", "mlx", "torch")


@dataclass(frozen=True, slots=True)
class Trial:
    """A network's answer to the test signal, and how long it took when warm."""

    log_probs: FloatArray
    seconds: float


@dataclass(frozen=True, slots=True)
class Choices:
    """What was chosen before, in a JSON file; one that cannot be written keeps nothing."""

    path: Path

    def known(self, model: str) -> str | None:
        """The device for the weights with this identity, if it was tried here."""
        kept = self._read()  # often nothing: where no accelerator is
        return kept.get(_circumstances(model)) if kept else None

    def keep(self, model: str, device: str) -> None:
        try:
            write_json(self.path, self._read() | {_circumstances(model): device})
        except OSError:
            return  # the next aligner tries again

    def _read(self) -> dict[str, str]:
        try:
            data = json.loads(self.path.read_bytes())
        except (OSError, ValueError):
            return {}
        return data if isinstance(data, dict) else {}


def _circumstances(model: str) -> str:
    """Everything that the answer depends on."""
    machine = (platform.node(), platform.machine(), platform.release(), platform.mac_ver()[0])
    versions = (f"{name} {_version(name)}" for name in _LIBRARIES)
    return ", ".join(filter(None, [model, *machine, f"dropscribe {__version__}", *versions]))


def _version(library: str) -> str:
    from importlib import metadata  # noqa: PLC0415 - slow, and only where something was chosen

    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return "absent"


def accelerators() -> Iterator[str]:
    """What there is here besides the CPU, the first choice first: MLX on a Mac, torch's devices.

    torch is imported only where it may have one, and only if nothing before it was taken.
    """
    if hardware.has_mlx() and _has_metal():
        yield "mlx"
    if hardware.is_apple_silicon() or hardware.has_nvidia():
        import torch  # noqa: PLC0415 - seconds

        if torch.backends.mps.is_available():
            yield "mps"
        if torch.cuda.is_available():
            yield "cuda"


def _has_metal() -> bool:
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
    network: HostNetwork,
    device: str,
    model: str,
    choices: Choices,
    candidates: Callable[[], Iterator[str] | Sequence[str]] = accelerators,
    attempt: Callable[[Network], Trial] = run_trial,
) -> tuple[Network, str]:
    """The network on `device`, and the device's name; "auto" takes the first that proves itself.

    `model` is the identity of its weights.
    """
    if device != "auto":
        return network.to(device), device
    known = choices.known(model)
    if known is not None:
        try:
            return network.to(known), known
        except (RuntimeError, ImportError):
            pass  # it was there then: the others are tried
    was_tried = False
    for candidate in candidates():
        was_tried = True
        moved = _proven(network, candidate, attempt)
        if moved is not None:
            choices.keep(model, candidate)
            return moved, candidate
    if was_tried:  # where there is nothing to try, nothing is kept: a GPU may come
        choices.keep(model, "cpu")
    return network, "cpu"


def _proven(
    network: HostNetwork, device: str, attempt: Callable[[Network], Trial]
) -> Network | None:
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
