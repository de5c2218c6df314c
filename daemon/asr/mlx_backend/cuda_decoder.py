"""Whisper's decoder through the kernels of `cuda_kernels`: what `TextDecoder` does, faster."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
from mlx import nn

from daemon.asr.mlx_backend.batch_size import device_name
from daemon.asr.mlx_backend.cuda_kernels import (
    HEAD_SIZE,
    cross_attention,
    embed,
    next_tokens,
    product,
    self_attention,
)
from daemon.asr.mlx_backend.token_rules import TokenRules
from daemon.asr.mlx_backend.whisper import DecoderBlock, KeysValues, Whisper, attend, split_heads


def fits(model: Whisper) -> bool:
    """Whether the kernels run here and know weights of this kind."""
    size, decoder = model.dimensions, model.decoder
    return (
        device_name() == "cuda"
        and decoder.token_embedding.weight.dtype == mx.float16
        and decoder.blocks[0].attn.qkv.weight.dtype == mx.float16
        and size.n_text_state == HEAD_SIZE * size.n_text_head
    )


class CudaDecoder:
    """The decoder of a model that `fits`."""

    def __init__(self, model: Whisper, rules: TokenRules) -> None:
        self._decoder = model.decoder
        self._heads = model.dimensions.n_text_head
        self._rules = rules

    def greedy_step(
        self,
        scalars: dict[str, mx.array],
        own: Sequence[mx.array],
        cross: Sequence[KeysValues],
    ) -> tuple[dict[str, mx.array], list[mx.array]]:
        """One more token for every row that is not done. `own` is written in place."""
        logits, own = self.next_logits(scalars["last"], scalars["position"], own, cross)
        rules = self._rules
        return scalars | next_tokens(logits, rules.allowed, scalars, rules.begin, rules.eot), own

    def next_logits(
        self,
        tokens: mx.array,
        position: mx.array,
        own: Sequence[mx.array],
        cross: Sequence[KeysValues],
    ) -> tuple[mx.array, list[mx.array]]:
        """Logits (b, vocabulary) float32 after tokens (b,) at `position`; `own` with them in it."""
        decoder = self._decoder
        weight = decoder.token_embedding.weight
        x = embed(tokens, position, weight, decoder.positional_embedding)
        for block, text, audio in zip(decoder.blocks, own, cross, strict=True):
            qkv = _linear(x, block.attn.qkv, block.attn_ln)
            heard = self_attention(qkv, text, position, self._heads)
            x = _linear(heard, block.attn.out, residual=x)
            query = _linear(x, block.cross_attn.query, block.cross_attn_ln)
            x = _after_cross(block, x, cross_attention(query, audio, self._heads))
        logits = product(decoder.ln(x), weight, None, dtype=mx.float32)
        return logits, mx.depends(list(own), [logits])

    def read(
        self, tokens: mx.array, cross: Sequence[KeysValues]
    ) -> tuple[mx.array, list[mx.array]]:
        """Prompts (b, t) of one length → hidden states (b, t, d), and their keys and values."""
        decoder = self._decoder
        rows, length = tokens.shape
        x = decoder.token_embedding(tokens) + decoder.positional_embedding[:length]
        x = x.reshape(rows * length, -1)
        own: list[mx.array] = []
        for block, audio in zip(decoder.blocks, cross, strict=True):
            qkv = _linear(x, block.attn.qkv, block.attn_ln).reshape(rows, length, -1)
            q, cache = mx.split(split_heads(qkv, 3 * self._heads), [self._heads], axis=1)
            own.append(cache)
            k, v = mx.split(cache, 2, axis=1)
            heard = attend(q, k, v, "causal").reshape(rows * length, -1)
            x = _linear(heard, block.attn.out, residual=x)
            query = _linear(x, block.cross_attn.query, block.cross_attn_ln)
            query = split_heads(query.reshape(rows, length, -1), self._heads)
            x = _after_cross(block, x, attend(query, *audio, None).reshape(rows * length, -1))
        return decoder.ln(x).reshape(rows, length, -1), own


def _after_cross(block: DecoderBlock, x: mx.array, heard: mx.array) -> mx.array:
    x = _linear(heard, block.cross_attn.out, residual=x)
    return _linear(_linear(x, block.mlp1, block.mlp_ln, gelu=True), block.mlp2, residual=x)


def _linear(
    x: mx.array,
    layer: nn.Linear,
    norm: nn.LayerNorm | None = None,
    *,
    residual: mx.array | None = None,
    gelu: bool = False,
) -> mx.array:
    before = None if norm is None else (norm.weight, norm.bias)
    return product(x, layer.weight, layer.bias, norm=before, residual=residual, gelu=gelu)
