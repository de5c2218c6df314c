"""Any MLX Whisper checkpoint → our model: fp16 or quantised, safetensors or npz, every size."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten, tree_unflatten

from daemon.asr.checkpoint import ALIGNMENT_HEADS, Checkpoint, Quantization, read_checkpoint
from daemon.asr.mlx_backend.whisper import Whisper
from daemon.errors import DropscribeError

Weights = dict[str, mx.array]

_PARTS = ("weight", "scales", "biases", "bias")
_FUSED = {  # ours: theirs, in the order of the rows
    ".attn.qkv": (".attn.query", ".attn.key", ".attn.value"),
    ".cross_attn.kv": (".cross_attn.key", ".cross_attn.value"),
}


def load_model(folder: Path) -> Whisper:
    """The model in `folder`, in memory.

    On a CPU, where fp16 and quantised products are slow, weights become float32; on a GPU they
    stay as they are stored. Raises DropscribeError where the weights do not fit the configuration.
    """
    checkpoint = read_checkpoint(folder)
    weights = _read(checkpoint)
    heads = weights.pop(ALIGNMENT_HEADS, None)
    quantization = checkpoint.quantization
    if mx.default_device() == mx.cpu:
        weights = _in_float32(weights, quantization)
        quantization = None
    model = Whisper(checkpoint.dimensions)
    if heads is not None:
        model.alignment_heads = tuple((int(layer), int(head)) for layer, head in np.array(heads))
    fused = _fuse(weights, checkpoint.dimensions.n_text_layer, checkpoint.dimensions.n_audio_layer)
    if quantization is not None:
        _quantise_as_stored(model, fused, quantization)
    _check(model, fused, folder)
    model.update(tree_unflatten(list(fused.items())))
    mx.eval(model.parameters())
    return model


def _read(checkpoint: Checkpoint) -> Weights:
    try:
        weights = mx.load(str(checkpoint.weights))
    except (RuntimeError, ValueError, OSError) as error:
        raise DropscribeError(
            f"The weights {checkpoint.weights} cannot be read: {error}"
        ) from error
    assert isinstance(weights, dict)
    return weights


def _in_float32(weights: Weights, quantization: Quantization | None) -> Weights:
    expanded: Weights = {}
    for name, array in weights.items():
        layer, _, part = name.rpartition(".")
        if part in ("scales", "biases"):
            continue
        if f"{layer}.scales" in weights and part == "weight" and quantization is not None:
            expanded[name] = mx.dequantize(
                array,
                weights[f"{layer}.scales"].astype(mx.float32),
                weights[f"{layer}.biases"].astype(mx.float32),
                group_size=quantization.group_size,
                bits=quantization.bits,
            )
        else:
            expanded[name] = array.astype(mx.float32)
    return expanded


def _fuse(weights: Weights, text_layers: int, audio_layers: int) -> Weights:
    fused = dict(weights)
    blocks = [f"encoder.blocks.{index}" for index in range(audio_layers)]
    blocks += [f"decoder.blocks.{index}" for index in range(text_layers)]
    for block in blocks:
        for ours, theirs in _FUSED.items():
            names = [block + name for name in theirs]
            if f"{names[0]}.weight" not in fused:
                continue  # the encoder has no cross-attention
            _add_missing_bias(fused, names)
            for part in _PARTS:
                arrays = [fused.pop(f"{name}.{part}", None) for name in names]
                present = [array for array in arrays if array is not None]
                if present:
                    fused[f"{block}{ours}.{part}"] = mx.concatenate(present)
    return fused


def _add_missing_bias(weights: Weights, names: list[str]) -> None:
    """Whisper's keys have no bias; in a fused layer it is zero."""
    biased = weights[f"{names[-1]}.bias"]
    for name in names:
        weights.setdefault(f"{name}.bias", mx.zeros_like(biased))


def _quantise_as_stored(model: Whisper, weights: Weights, quantization: Quantization) -> None:
    def stored_so(path: str, module: nn.Module) -> bool:
        return hasattr(module, "to_quantized") and f"{path}.scales" in weights

    nn.quantize(model, quantization.group_size, quantization.bits, class_predicate=stored_so)


def _check(model: Whisper, weights: Mapping[str, mx.array], folder: Path) -> None:
    expected = {name: array.shape for name, array in tree_flatten(model.parameters())}
    wrong = sorted(
        name
        for name in expected.keys() | weights.keys()
        if name not in weights or expected.get(name) != weights[name].shape
    )
    if wrong:
        raise DropscribeError(
            f"The weights in {folder} do not fit its config.json, first at {wrong[0]}:"
            " fetch the model again."
        )
