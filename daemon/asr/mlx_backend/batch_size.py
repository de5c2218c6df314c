"""How much a device can decode at once."""

from __future__ import annotations

import mlx.core as mx
import psutil

from daemon.asr.checkpoint import Dimensions
from daemon.asr.mlx_backend.attempts import BatchSize

_SHARE = 0.7  # of what the device can use well is ours: on a Mac about half of its memory
_MOST_ROWS = {"metal": 32, "cuda": 128, "cpu": 8}  # more only costs memory
_MOST_ENCODED = {"metal": 8, "cuda": 16, "cpu": 1}
_ROWS_PER_ENCODED = (
    8  # few are encoded at once where few rows fit: they need memory beside the rows
)


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


def batch_size(dimensions: Dimensions, weights: int, dtype: mx.Dtype) -> BatchSize:
    """The batch that fits `_SHARE` of the memory beside `weights` bytes, at least one row."""
    device = device_name()
    room = device_memory() * _SHARE - weights
    row = _row_bytes(dimensions, dtype)
    encoded = _MOST_ENCODED[device]
    while True:
        # Finished rows are replaced in place; what replaces them lies beside them until then.
        fresh = encoded * (_encoder_bytes(dimensions, dtype) + row)
        rows = max(1, min(int((room - fresh) // row), _MOST_ROWS[device]))
        if encoded == 1 or rows >= encoded * _ROWS_PER_ENCODED:
            return BatchSize(rows=rows, encoded=min(encoded, rows))
        encoded //= 2


def _row_bytes(dimensions: Dimensions, dtype: mx.Dtype) -> int:
    """Keys and values of the audio, and of a transcript without a long prompt."""
    positions = dimensions.n_audio_ctx + dimensions.n_text_ctx // 2
    keys_values = 2 * dimensions.n_text_layer * dimensions.n_text_state * positions
    return keys_values * dtype.size


def _encoder_bytes(dimensions: Dimensions, dtype: mx.Dtype) -> int:
    """The widest activations of a window, and the attention scores where they are not fused."""
    activations = 12 * dimensions.n_audio_ctx * dimensions.n_audio_state
    scores = 2 * dimensions.n_audio_head * dimensions.n_audio_ctx**2
    return (activations + (scores if device_name() == "cpu" else 0)) * dtype.size
