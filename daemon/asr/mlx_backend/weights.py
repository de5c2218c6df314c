"""Any MLX Whisper checkpoint → our model: fp16 or quantised, safetensors or npz, every size."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from functools import lru_cache
from pathlib import Path

import mlx.core as mx
import numpy as np
from mlx import nn
from mlx.utils import tree_flatten, tree_unflatten

from daemon.asr.checkpoint import (
    ALIGNMENT_HEADS,
    Checkpoint,
    Dimensions,
    Quantization,
    read_checkpoint,
)
from daemon.asr.mlx_backend.batch_size import device_memory
from daemon.asr.mlx_backend.whisper import Whisper
from daemon.errors import DropscribeError

Weights = dict[str, mx.array]

_EXPANDED_SHARE = 0.3  # of the device's memory, which expanded weights may take at most
_GROUP = 64  # neighbours that share a scale, where we quantise
_TRIALS = 5  # of each product that is measured

_PARTS = ("weight", "scales", "biases", "bias")
_FUSED = {  # ours: theirs, in the order of the rows
    ".attn.qkv": (".attn.query", ".attn.key", ".attn.value"),
    ".cross_attn.kv": (".cross_attn.key", ".cross_attn.value"),
}


def load_model(folder: Path, decoder_bits: int = 0) -> Whisper:
    """The model in `folder`, in memory.

    On a CPU weights become float32: fp16 products are slow there. Quantised ones stay as they are
    stored where the device computes with them as fast as with expanded ones (`quantised_pays`), or
    where the expanded ones are too large. Raises DropscribeError where the weights do not fit the
    configuration. `decoder_bits` 8: the decoder's products are quantised, unless they are already;
    its embedding, which is the output layer, too, is not.
    """
    checkpoint = read_checkpoint(folder)
    weights = _read(checkpoint)
    heads = weights.pop(ALIGNMENT_HEADS, None)
    quantization = checkpoint.quantization
    if quantization is not None and not _stays_quantised(
        weights, checkpoint.dimensions, quantization
    ):
        _expand(weights, quantization)
        quantization = None
    if mx.default_device() == mx.cpu:
        weights = {name: array.astype(mx.float32) for name, array in weights.items()}
    model = Whisper(checkpoint.dimensions)
    if heads is not None:
        model.alignment_heads = tuple((int(layer), int(head)) for layer, head in np.array(heads))
    _fuse(weights, checkpoint.dimensions.n_text_layer, checkpoint.dimensions.n_audio_layer)
    if quantization is not None:
        _quantise_as_stored(model, weights, quantization)
    _check(model, weights, folder)
    model.update(tree_unflatten(list(weights.items())))
    weights.clear()  # what was fused is freed as soon as it is no longer needed
    if decoder_bits and quantization is None:
        nn.quantize(
            model.decoder,
            _GROUP,
            decoder_bits,
            class_predicate=lambda _, module: isinstance(module, nn.Linear),
        )
    # One after the other: all at once, every part would lie beside its whole.
    for _, parameter in tree_flatten(model.parameters()):
        mx.eval(parameter)
    mx.clear_cache()
    return model


def _stays_quantised(weights: Weights, size: Dimensions, quantization: Quantization) -> bool:
    if mx.default_device() == mx.cpu:
        return False
    packed = sum(
        array.nbytes
        for name, array in weights.items()
        if name.endswith(".weight") and f"{name.removesuffix('weight')}scales" in weights
    )
    expanded = packed * 16 // quantization.bits
    if expanded > device_memory() * _EXPANDED_SHARE:
        return True
    return quantised_pays(size.n_text_state, quantization)


@lru_cache(maxsize=4)
def quantised_pays(width: int, quantization: Quantization) -> bool:
    """Whether this device multiplies by quantised weights as fast as by their fp16 form.

    Measured once a process, for what a chunk of audio needs of one layer: the encoder's 1500
    positions once, and a hundred steps of eight rows. CUDA's quantised products are many times
    slower, and some installations cannot compile them; on Apple's GPUs it depends on the chip.
    """
    group, bits = quantization.group_size, quantization.bits
    weight = mx.random.normal((width, width)).astype(mx.float16)
    packed = mx.quantize(weight, group, bits)
    mx.eval(weight, packed)

    def as_stored(x: mx.array) -> mx.array:
        return mx.quantized_matmul(x, *packed, group_size=group, bits=bits)

    try:
        stored = _chunk_seconds(as_stored, width)
    except RuntimeError as error:
        sys.stderr.write(f"quantised weights are expanded: {error}\n")
        return False
    return stored <= _chunk_seconds(lambda x: x @ weight.T, width)


def _chunk_seconds(product: Callable[[mx.array], mx.array], width: int) -> float:
    seconds = 0.0
    for rows, times in ((1500, 8), (8, 100)):
        x = mx.random.normal((rows, width)).astype(mx.float16)
        mx.eval(product(x))  # the first call compiles its kernel
        start = time.perf_counter()
        for _ in range(_TRIALS):
            mx.eval(product(x))
        seconds += (time.perf_counter() - start) / _TRIALS * times
    return seconds


def _read(checkpoint: Checkpoint) -> Weights:
    try:
        weights = mx.load(str(checkpoint.weights))
    except (RuntimeError, ValueError, OSError) as error:
        raise DropscribeError(
            f"The weights {checkpoint.weights} cannot be read: {error}"
        ) from error
    assert isinstance(weights, dict)
    return weights


def _expand(weights: Weights, quantization: Quantization) -> None:
    """Replace quantised weights by what they stand for, on a CPU in float32."""
    on_cpu = mx.default_device() == mx.cpu
    dtype = mx.float32 if on_cpu else weights["encoder.conv1.weight"].dtype
    for scales in [name for name in weights if name.endswith(".scales")]:
        layer = scales.removesuffix(".scales")
        weights[f"{layer}.weight"] = mx.dequantize(
            weights[f"{layer}.weight"],
            weights.pop(scales).astype(dtype),
            weights.pop(f"{layer}.biases").astype(dtype),
            group_size=quantization.group_size,
            bits=quantization.bits,
        )


def _fuse(weights: Weights, text_layers: int, audio_layers: int) -> None:
    blocks = [f"encoder.blocks.{index}" for index in range(audio_layers)]
    blocks += [f"decoder.blocks.{index}" for index in range(text_layers)]
    for block in blocks:
        for ours, theirs in _FUSED.items():
            names = [block + name for name in theirs]
            if f"{names[0]}.weight" not in weights:
                continue  # the encoder has no cross-attention
            _add_missing_bias(weights, names)
            for part in _PARTS:
                arrays = [weights.pop(f"{name}.{part}", None) for name in names]
                present = [array for array in arrays if array is not None]
                if present:
                    weights[f"{block}{ours}.{part}"] = mx.concatenate(present)


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
