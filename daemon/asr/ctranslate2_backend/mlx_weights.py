"""An MLX checkpoint's weights as float32 numpy arrays, quantised ones expanded, without MLX."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file

from daemon.asr.checkpoint import Checkpoint, Quantization
from daemon.errors import DropscribeError

Array = NDArray[np.float32]
Weights = Mapping[str, Array]

_WORD_BITS = 32  # MLX packs quantised values into 32-bit words, the first in the lowest bits


def read_weights(checkpoint: Checkpoint) -> Weights:
    """Every parameter by its name in the checkpoint, float32.

    Raises DropscribeError for a quantisation that does not divide a word (3, 5 or 6 bits).
    """
    stored = _load(checkpoint)
    weights: dict[str, Array] = {}
    for name, array in stored.items():
        if name.endswith((".scales", ".biases")):
            continue
        scales = stored.get(name.removesuffix("weight") + "scales")
        if scales is None or not name.endswith(".weight"):
            weights[name] = array.astype(np.float32)
            continue
        assert checkpoint.quantization is not None
        biases = stored[name.removesuffix("weight") + "biases"]
        weights[name] = expand(array, scales, biases, checkpoint.quantization)
    return weights


def expand(
    packed: NDArray[np.uint32],
    scales: NDArray[np.floating],
    biases: NDArray[np.floating],
    quantization: Quantization,
) -> Array:
    """`scale * value + bias`, shape (rows, columns), from (rows, columns * bits / 32) words.

    `scales` and `biases` have shape (rows, columns / group_size).
    """
    bits = quantization.bits
    if _WORD_BITS % bits:
        raise DropscribeError(
            f"{bits}-bit weights cannot be converted: use a 4-bit, 8-bit or fp16 model."
        )
    shifts = np.arange(0, _WORD_BITS, bits, dtype=np.uint32)
    values = (packed[..., None] >> shifts) & np.uint32(2**bits - 1)
    groups = values.reshape(*scales.shape, quantization.group_size).astype(np.float32)
    expanded = groups * scales[..., None].astype(np.float32) + biases[..., None].astype(np.float32)
    return expanded.reshape(packed.shape[0], -1)


def _load(checkpoint: Checkpoint) -> dict[str, NDArray[Any]]:
    try:
        if checkpoint.weights.suffix == ".npz":
            with np.load(checkpoint.weights) as archive:
                return dict(archive)
        return dict(load_file(checkpoint.weights))
    except (OSError, ValueError, zipfile.BadZipFile, SafetensorError) as error:
        raise DropscribeError(
            f"The weights {checkpoint.weights} cannot be read ({error}): fetch the model again."
        ) from error
