"""How much a device can decode at once, by what it and the system say of their memory."""

from __future__ import annotations

import os

import mlx.core as mx
import psutil

from daemon.asr.checkpoint import Dimensions
from daemon.asr.mlx_backend.attempts import BatchSize
from daemon.models.memory import BATCH_DIVISOR, plan


def device_name() -> str:
    """metal, cuda or cpu."""
    if mx.default_device() == mx.cpu:
        return "cpu"
    return "metal" if mx.metal.is_available() else "cuda"


def device_memory() -> int:
    """Bytes that the device can use well."""
    info = mx.device_info() if device_name() != "cpu" else {}
    for name in ("max_recommended_working_set_size", "memory_size", "total_memory"):
        if name in info:
            return int(info[name])
    return int(psutil.virtual_memory().total)


def free_memory(weights: int) -> int | None:
    """Bytes that the system has for us, with the `weights` that we hold already; None on CUDA.

    What other programs take is not ours: a Mac whose memory is in use gets a smaller batch.
    """
    if device_name() == "cuda":
        return None
    return int(psutil.virtual_memory().available) + weights


def batch_size(dimensions: Dimensions, weights: int, dtype: mx.Dtype) -> BatchSize:
    """The batch that fits beside `weights` bytes; a part of it where a GPU gave up before."""
    fitting = plan(
        dimensions,
        weights,
        dtype.size,
        device_name(),
        device_memory(),
        free_memory(weights),
    )
    rows = max(1, fitting.rows // _divisor())
    return BatchSize(rows=rows, encoded=min(fitting.encoded, rows))


def _divisor() -> int:
    text = os.environ.get(BATCH_DIVISOR, "")
    return max(1, int(text)) if text.isdecimal() else 1
