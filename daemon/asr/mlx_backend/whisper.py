"""Whisper for batches: the network of openai/whisper with fused projections and fused attention.

Two things differ from mlx_whisper's modules, neither in what they compute: queries, keys and values
come from one matrix product, and attention is `mx.fast.scaled_dot_product_attention` on head-major
arrays, so the keys and values of the audio are laid out and scaled once, not at every token.

Shapes: b rows, t tokens, a audio positions (1500), d width, h heads, e = d / h.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import mlx.core as mx
from mlx import nn

from daemon.asr.checkpoint import Dimensions
from daemon.asr.mlx_backend import cpu_kernels

KeysValues = tuple[mx.array, mx.array]  # each (b, h, positions, e)
CacheUpdate = Callable[[int, mx.array], mx.array]


class SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def project(self, x: mx.array) -> tuple[mx.array, mx.array]:
        """(b, t, d) → queries (b, h, t, e), and keys followed by values (b, 2h, t, e)."""
        q, kv = mx.split(split_heads(self.qkv(x), 3 * self.heads), [self.heads], axis=1)
        return q, kv

    def attend(self, q: mx.array, kv: mx.array, mask: mx.array | str | None) -> mx.array:
        k, v = mx.split(kv, 2, axis=1)
        return self.out(attend(q, k, v, mask))


class CrossAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.query = nn.Linear(width, width)
        self.kv = nn.Linear(width, 2 * width)
        self.out = nn.Linear(width, width)

    def keys_values(self, audio: mx.array) -> KeysValues:
        """(b, a, d) → keys and values, contiguous, so that no later step moves them."""
        k, v = mx.split(self.kv(audio), 2, axis=-1)
        return mx.contiguous(split_heads(k, self.heads)), mx.contiguous(split_heads(v, self.heads))

    def __call__(self, x: mx.array, kv: KeysValues) -> mx.array:
        """Where `kv` has fewer rows than `x`, neighbouring rows of `x` hear the same audio."""
        shared = x.reshape(kv[0].shape[0], -1, x.shape[-1])
        heard = attend(split_heads(self.query(shared), self.heads), *kv, None)
        return self.out(heard).reshape(x.shape)

    def scores(self, x: mx.array, kv: KeysValues) -> mx.array:
        """How much each token wants of each audio position, before the softmax: (b, h, t, a)."""
        q = split_heads(self.query(x), self.heads) / math.sqrt(kv[0].shape[-1])
        return q @ kv[0].swapaxes(-1, -2)


class EncoderBlock(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.attn = SelfAttention(width, heads)
        self.attn_ln = nn.LayerNorm(width)
        self.mlp1 = nn.Linear(width, 4 * width)
        self.mlp2 = nn.Linear(4 * width, width)
        self.mlp_ln = nn.LayerNorm(width)

    def mlp(self, x: mx.array) -> mx.array:
        return x + self.mlp2(gelu(self.mlp1(self.mlp_ln(x))))

    def __call__(self, x: mx.array) -> mx.array:
        q, kv = self.attn.project(self.attn_ln(x))
        return self.mlp(x + self.attn.attend(q, kv, None))


class DecoderBlock(EncoderBlock):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__(width, heads)
        self.cross_attn = CrossAttention(width, heads)
        self.cross_attn_ln = nn.LayerNorm(width)

    def step(
        self,
        x: mx.array,
        cache_update: Callable[[mx.array], mx.array],
        mask: mx.array | str | None,
        cross: KeysValues,
    ) -> mx.array:
        q, kv = self.attn.project(self.attn_ln(x))
        x = x + self.attn.attend(q, cache_update(kv), mask)
        x = x + self.cross_attn(self.cross_attn_ln(x), cross)
        return self.mlp(x)


class AudioEncoder(nn.Module):
    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        width, heads = dimensions.n_audio_state, dimensions.n_audio_head
        self.conv1 = nn.Conv1d(dimensions.n_mels, width, kernel_size=3, padding=1)
        self.conv2 = nn.Conv1d(width, width, kernel_size=3, stride=2, padding=1)
        self.blocks = [EncoderBlock(width, heads) for _ in range(dimensions.n_audio_layer)]
        self.ln_post = nn.LayerNorm(width)
        self._positions = _sinusoids(dimensions.n_audio_ctx, width)

    def __call__(self, mel: mx.array) -> mx.array:
        """Log-mel (b, 3000, mels) → (b, a, d)."""
        x = self.embed(mel)
        for block in self.blocks:
            x = block(x)
        return self.ln_post(x)

    def embed(self, mel: mx.array) -> mx.array:
        """Log-mel → what the first block hears, (b, a, d)."""
        x = gelu(self.conv2(gelu(self.conv1(mel))))
        return x + self._positions.astype(x.dtype)


class TextDecoder(nn.Module):
    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        width, heads = dimensions.n_text_state, dimensions.n_text_head
        self.token_embedding = nn.Embedding(dimensions.n_vocab, width)
        self.positional_embedding = mx.zeros((dimensions.n_text_ctx, width))
        self.blocks = [DecoderBlock(width, heads) for _ in range(dimensions.n_text_layer)]
        self.ln = nn.LayerNorm(width)

    def keys_values(self, audio: mx.array) -> list[KeysValues]:
        """Every layer's keys and values of the audio, once per chunk."""
        return [block.cross_attn.keys_values(audio) for block in self.blocks]

    def __call__(
        self,
        tokens: mx.array,
        positions: mx.array,
        cache_update: CacheUpdate,
        mask: mx.array | str | None,
        cross: Sequence[KeysValues],
    ) -> mx.array:
        """Tokens (b, t) at `positions`, broadcastable to (b, t), → hidden states (b, t, d).

        `cache_update` stores a layer's new keys and values, (b, 2h, t, e), and returns all that it
        knows: one array, written in one operation.
        """
        x = self.token_embedding(tokens) + self.positional_embedding[positions]
        for layer, block in enumerate(self.blocks):
            x = block.step(x, _bind(cache_update, layer), mask, cross[layer])
        return self.ln(x)

    def logits(self, hidden: mx.array) -> mx.array:
        """(…, d) → (…, vocabulary), float32."""
        if cpu_kernels.pays(hidden):
            return cpu_kernels.product(hidden, self.token_embedding.weight)
        return self.token_embedding.as_linear(hidden).astype(mx.float32)


class Whisper(nn.Module):
    def __init__(self, dimensions: Dimensions) -> None:
        super().__init__()
        self.dimensions = dimensions
        self.alignment_heads = dimensions.upper_heads
        self.encoder = AudioEncoder(dimensions)
        self.decoder = TextDecoder(dimensions)

    @property
    def dtype(self) -> mx.Dtype:
        """The type of activations: that of the weights which are never quantised."""
        return self.encoder.conv1.weight.dtype


def _bind(cache_update: CacheUpdate, layer: int) -> Callable[[mx.array], mx.array]:
    return lambda kv: cache_update(layer, kv)


def split_heads(x: mx.array, heads: int) -> mx.array:
    """(b, t, d) → (b, h, t, e)."""
    rows, length = x.shape[:2]
    if length == 1:  # a step's hundreds of arrays need no transposition
        return x.reshape(rows, heads, 1, -1)
    return x.reshape(rows, length, heads, -1).transpose(0, 2, 1, 3)


def gelu(x: mx.array) -> mx.array:
    return cpu_kernels.gelu(x) if cpu_kernels.gelu_pays(x) else nn.gelu(x)


def attend(q: mx.array, k: mx.array, v: mx.array, mask: mx.array | str | None) -> mx.array:
    """Queries (b, h, t, e) over keys and values → (b, t, d)."""
    if mask is None and cpu_kernels.pays(q):
        out = cpu_kernels.attend(q, k, v)
    else:
        scale = 1 / math.sqrt(q.shape[-1])
        out = mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask=mask)
    if q.shape[2] > 1:
        out = out.transpose(0, 2, 1, 3)
    return out.reshape(q.shape[0], q.shape[2], -1)


def _sinusoids(length: int, width: int) -> mx.array:
    """Positions of the encoder, (length, width): sines, then cosines (openai/whisper)."""
    half = width // 2
    frequencies = mx.exp(-math.log(10_000) / (half - 1) * mx.arange(half))
    angles = mx.arange(length)[:, None] * frequencies[None, :]
    return mx.concatenate([mx.sin(angles), mx.cos(angles)], axis=1)
