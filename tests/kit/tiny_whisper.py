"""Whisper checkpoints small enough to test every layout: random weights, one or two layers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import mlx.core as mx

from daemon.asr.checkpoint import Dimensions, Quantization

# End of text, <|0.00|> and " and" of the multilingual vocabulary.
_EOT, _BEGIN, _AND = 50257, 50364, 293


def dimensions(
    vocabulary: int = 51865, mels: int = 80, text_context: int = 448, width: int = 64
) -> Dimensions:
    return Dimensions(
        n_mels=mels,
        n_audio_ctx=1500,
        n_audio_state=width,
        n_audio_head=1,
        n_audio_layer=1,
        n_vocab=vocabulary,
        n_text_ctx=text_context,
        n_text_state=width,
        n_text_head=1,
        n_text_layer=2,
    )


def write_checkpoint(
    folder: Path,
    size: Dimensions,
    *,
    quantization: Quantization | None = None,
    npz: bool = False,
    taciturn: bool = False,
    babbling: bool = False,
) -> Path:
    """A checkpoint as mlx_whisper's convert.py writes it.

    `taciturn`: it ends soon. `babbling`: it says the same token for ever.
    """
    folder.mkdir(parents=True)
    favourites = [_EOT, _BEGIN] if taciturn else [_AND] if babbling else []
    weights = _weights(size, favourites)
    config: dict[str, object] = {**asdict(size), "model_type": "whisper"}
    if quantization is not None:
        config["quantization"] = asdict(quantization)
        weights = _quantised(weights, quantization)
    (folder / "config.json").write_text(json.dumps(config))
    if npz:
        mx.savez(str(folder / "weights.npz"), **weights)
    else:
        mx.save_safetensors(str(folder / "weights.safetensors"), weights)
    return folder


def _weights(size: Dimensions, favourites: Sequence[int]) -> dict[str, mx.array]:
    mx.random.seed(11)
    width = size.n_text_state
    weights: dict[str, mx.array] = {}
    _add(weights, "encoder.conv1", (width, 3, size.n_mels))
    _add(weights, "encoder.conv2", (width, 3, width))
    for index in range(size.n_audio_layer):
        _add_block(weights, f"encoder.blocks.{index}", ("attn",), width)
    for index in range(size.n_text_layer):
        _add_block(weights, f"decoder.blocks.{index}", ("attn", "cross_attn"), width)
    for norm in ("encoder.ln_post", "decoder.ln"):
        _add_norm(weights, norm, width)
    embedding = mx.random.normal((size.n_vocab, width))
    if favourites:
        embedding[mx.array(list(favourites))] = 4.0
        weights["decoder.ln.bias"] = mx.ones((width,))
    weights["decoder.token_embedding.weight"] = embedding
    weights["decoder.positional_embedding"] = mx.random.normal((size.n_text_ctx, width))
    return {name: array.astype(mx.float16) for name, array in weights.items()}


def _add_block(
    weights: dict[str, mx.array], block: str, attentions: tuple[str, ...], width: int
) -> None:
    for attention in attentions:
        for part in ("query", "key", "value", "out"):
            _add(weights, f"{block}.{attention}.{part}", (width, width))
        del weights[f"{block}.{attention}.key.bias"]
        _add_norm(weights, f"{block}.{attention}_ln", width)
    _add(weights, f"{block}.mlp1", (4 * width, width))
    _add(weights, f"{block}.mlp2", (width, 4 * width))
    _add_norm(weights, f"{block}.mlp_ln", width)


def _add(weights: dict[str, mx.array], name: str, shape: tuple[int, ...]) -> None:
    weights[f"{name}.weight"] = mx.random.normal(shape) / 8
    weights[f"{name}.bias"] = mx.random.normal(shape[:1]) / 8


def _add_norm(weights: dict[str, mx.array], name: str, width: int) -> None:
    weights[f"{name}.weight"] = 1 + mx.random.normal((width,)) / 8
    weights[f"{name}.bias"] = mx.random.normal((width,)) / 8


def _quantised(weights: dict[str, mx.array], how: Quantization) -> dict[str, mx.array]:
    """Linear layers and the embedding, as mlx.nn.quantize does; convolutions stay."""
    stored: dict[str, mx.array] = {}
    for name, array in weights.items():
        layer = name.removesuffix(".weight")
        if array.ndim != 2 or layer == name:
            stored[name] = array
            continue
        packed, scales, biases = mx.quantize(array, how.group_size, how.bits)
        stored |= {name: packed, f"{layer}.scales": scales, f"{layer}.biases": biases}
    return stored
