"""OpenAI's parameter names, as MLX checkpoints carry them, in CTranslate2's specification."""

from __future__ import annotations

import numpy as np
from ctranslate2.specs import common_spec, transformer_spec
from ctranslate2.specs.whisper_spec import WhisperSpec

from daemon.asr.ctranslate2_backend.mlx_weights import Array, Weights


def fill(spec: WhisperSpec, weights: Weights) -> None:
    """Put every weight where CTranslate2's specification of Whisper wants it."""
    encoder, decoder = spec.encoder, spec.decoder
    for name in ("conv1", "conv2"):
        conv = getattr(encoder, name)
        # MLX: (out, kernel, in); CTranslate2: (out, in, kernel)
        conv.weight = np.ascontiguousarray(weights[f"encoder.{name}.weight"].transpose(0, 2, 1))
        conv.bias = weights[f"encoder.{name}.bias"]
    width = weights["encoder.conv2.bias"].shape[0]
    encoder.position_encodings.encodings = _sinusoids(1500, width)
    decoder.position_encodings.encodings = weights["decoder.positional_embedding"]
    decoder.embeddings.weight = weights["decoder.token_embedding.weight"]
    decoder.projection.weight = weights["decoder.token_embedding.weight"]
    _fill_norm(encoder.layer_norm, weights, "encoder.ln_post")
    _fill_norm(decoder.layer_norm, weights, "decoder.ln")
    for index, layer in enumerate(encoder.layer):
        _fill_layer(layer, weights, f"encoder.blocks.{index}")
    for index, layer in enumerate(decoder.layer):
        _fill_layer(layer, weights, f"decoder.blocks.{index}")
        _fill_cross_attention(layer, weights, f"decoder.blocks.{index}")


def _fill_layer(
    layer: transformer_spec.TransformerEncoderLayerSpec, weights: Weights, block: str
) -> None:
    attention = layer.self_attention
    _fill_linear(
        attention.linear[0], weights, *(f"{block}.attn.{n}" for n in ("query", "key", "value"))
    )
    _fill_linear(attention.linear[1], weights, f"{block}.attn.out")
    _fill_norm(attention.layer_norm, weights, f"{block}.attn_ln")
    _fill_linear(layer.ffn.linear_0, weights, f"{block}.mlp1")
    _fill_linear(layer.ffn.linear_1, weights, f"{block}.mlp2")
    _fill_norm(layer.ffn.layer_norm, weights, f"{block}.mlp_ln")


def _fill_cross_attention(
    layer: transformer_spec.TransformerDecoderLayerSpec, weights: Weights, block: str
) -> None:
    attention = layer.attention
    _fill_linear(attention.linear[0], weights, f"{block}.cross_attn.query")
    _fill_linear(
        attention.linear[1], weights, f"{block}.cross_attn.key", f"{block}.cross_attn.value"
    )
    _fill_linear(attention.linear[2], weights, f"{block}.cross_attn.out")
    _fill_norm(attention.layer_norm, weights, f"{block}.cross_attn_ln")


def _fill_linear(spec: common_spec.LinearSpec, weights: Weights, *names: str) -> None:
    """One linear layer from several that share their input; Whisper's keys have no bias."""
    matrices = [weights[f"{name}.weight"] for name in names]
    zeros = [np.zeros(matrix.shape[0], np.float32) for matrix in matrices]
    spec.weight = np.concatenate(matrices)
    spec.bias = np.concatenate(
        [weights.get(f"{name}.bias", zero) for name, zero in zip(names, zeros, strict=True)]
    )


def _fill_norm(spec: common_spec.LayerNormSpec, weights: Weights, name: str) -> None:
    spec.gamma = weights[f"{name}.weight"]
    spec.beta = weights[f"{name}.bias"]


def _sinusoids(length: int, width: int) -> Array:
    """The encoder's positions, shape (length, width): sines, then cosines (openai/whisper)."""
    half = width // 2
    frequencies = np.exp(-np.log(10_000) / (half - 1) * np.arange(half))
    angles = np.arange(length)[:, None] * frequencies[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype(np.float32)
