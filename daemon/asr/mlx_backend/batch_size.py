"""How much a device can decode at once."""

from __future__ import annotations

import mlx.core as mx
import psutil

from daemon.asr.checkpoint import Dimensions
from daemon.asr.mlx_backend.attempts import BatchSize

_SHARE = 0.5  # of the device's memory is ours; the rest belongs to the user
_MOST_ROWS = {"metal": 32, "cuda": 128, "cpu": 8}  # more only costs memory
_MOST_ENCODED = {"metal": 8, "cuda": 16, "cpu": 1}


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
    encoded = _MOST_ENCODED[device]
    room -= encoded * _encoder_bytes(dimensions, dtype)
    rows = int(room // _row_bytes(dimensions, dtype))
    rows = max(1, min(rows, _MOST_ROWS[device]))
    return BatchSize(rows=rows, encoded=min(encoded, rows))


def _row_bytes(dimensions: Dimensions, dtype: mx.Dtype) -> int:
    """Keys and values of the audio and of the text, twice: replacing rows may copy them."""
    positions = dimensions.n_audio_ctx + dimensions.n_text_ctx
    keys_values = 2 * dimensions.n_text_layer * dimensions.n_text_state * positions
    return 2 * keys_values * dtype.size


def _encoder_bytes(dimensions: Dimensions, dtype: mx.Dtype) -> int:
    """The widest activations of a window, and the attention scores where they are not fused."""
    activations = 12 * dimensions.n_audio_ctx * dimensions.n_audio_state
    scores = 2 * dimensions.n_audio_head * dimensions.n_audio_ctx**2
    return (activations + (scores if device_name() == "cpu" else 0)) * dtype.size
