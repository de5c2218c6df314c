"""The wav2vec 2.0 network of `wav2vec2`, through MLX: for the GPU of a Mac.

The same arithmetic on the same weights, in float32; as there, segments
lie one behind the other, and what looks at more than one frame goes segment by segment.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import mlx.core as mx
import numpy as np
from mlx import nn

from daemon.alignment.architecture import Architecture
from daemon.audio import FloatArray

_EPSILON = 1e-5  # of the convolutions' norms, whatever the config says of the other norms
_EXTRACTOR = "feature_extractor.conv_layers"
_POSITIONS = "encoder.pos_conv_embed.conv"


class MlxWav2Vec2:
    """Satisfies `Network`. `weights` are those that `Wav2Vec2` takes."""

    def __init__(self, architecture: Architecture, weights: Mapping[str, FloatArray]) -> None:
        self._architecture = architecture
        self._weights = {name: mx.array(array) for name, array in weights.items()}
        for name in [name for name in weights if name.endswith(".conv.weight")]:
            self._weights[name] = self._weights[name].swapaxes(1, 2)  # MLX: (out, taps, in)
        mx.eval(self._weights)

    @property
    def shortest(self) -> int:
        """The fewest samples that a waveform may have."""
        return self._architecture.receptive_field

    def __call__(self, waveforms: Sequence[FloatArray]) -> list[FloatArray]:
        """Log-probabilities, shape (frames, characters), for each waveform of shape (samples,)."""
        features = [self._features(waveform) for waveform in waveforms]
        ends = np.cumsum([len(part) for part in features])
        hidden = self._norm("feature_projection.layer_norm", mx.concatenate(features))
        hidden = self._linear("feature_projection.projection", hidden)
        logits = self._linear("lm_head", self._encode(hidden, ends[:-1].tolist()))
        log_probs = np.array(logits - mx.logsumexp(logits, axis=-1, keepdims=True))
        return np.split(log_probs, ends[:-1])

    def _features(self, waveform: FloatArray) -> mx.array:
        """(samples,) → (frames, channels)."""
        rows = mx.array(waveform.astype(np.float32))[None, :, None]
        by_channel = self._architecture.feat_extract_norm == "layer"
        for layer, stride in enumerate(self._architecture.conv_stride):
            name = f"{_EXTRACTOR}.{layer}"
            rows = mx.conv1d(rows, self._weights[f"{name}.conv.weight"], stride)
            bias = self._weights.get(f"{name}.conv.bias")
            if bias is not None:
                rows = rows + bias
            if by_channel:
                rows = self._norm(f"{name}.layer_norm", rows, _EPSILON)
            elif layer == 0:
                rows = self._over_time(f"{name}.layer_norm", rows)
            rows = nn.gelu(rows)
        return rows[0]

    def _over_time(self, name: str, rows: mx.array) -> mx.array:
        """A group norm with a group a channel: (1, rows, channels) → the same."""
        mean = rows.mean(axis=1, keepdims=True)
        deviation = mx.rsqrt(rows.var(axis=1, keepdims=True) + _EPSILON)
        normed: mx.array = (rows - mean) * deviation
        return normed * self._weights[f"{name}.weight"] + self._weights[f"{name}.bias"]

    def _encode(self, hidden: mx.array, borders: list[int]) -> mx.array:
        """The transformer: (frames, width) → (frames, width)."""
        segments = mx.split(hidden, borders)
        hidden = hidden + mx.concatenate([self._positions(segment) for segment in segments])
        stable = self._architecture.do_stable_layer_norm
        if not stable:
            hidden = self._norm("encoder.layer_norm", hidden)
        for index in range(self._architecture.num_hidden_layers):
            hidden = self._layer(f"encoder.layers.{index}", hidden, borders, stable)
        return self._norm("encoder.layer_norm", hidden) if stable else hidden

    def _layer(self, name: str, x: mx.array, borders: list[int], stable: bool) -> mx.array:
        """`stable`: norms come before what they normalise (the larger models), else behind it."""
        attention, feed_forward = f"{name}.layer_norm", f"{name}.final_layer_norm"
        before = self._norm(attention, x) if stable else x
        x = x + self._attention(f"{name}.attention", before, borders)
        x = x if stable else self._norm(attention, x)
        before = self._norm(feed_forward, x) if stable else x
        inner = nn.gelu(self._linear(f"{name}.feed_forward.intermediate_dense", before))
        x = x + self._linear(f"{name}.feed_forward.output_dense", inner)
        return x if stable else self._norm(feed_forward, x)

    def _positions(self, hidden: mx.array) -> mx.array:
        """The convolutional positional embedding of one segment: (frames, width) → the same."""
        weight = self._weights[f"{_POSITIONS}.weight"]
        groups = self._architecture.num_conv_pos_embedding_groups
        out = mx.conv1d(hidden[None], weight, padding=weight.shape[1] // 2, groups=groups)
        embedded: mx.array = nn.gelu(out[0, : len(hidden)] + self._weights[f"{_POSITIONS}.bias"])
        return embedded

    def _attention(self, name: str, rows: mx.array, borders: list[int]) -> mx.array:
        """The self-attention of `rows` within each segment."""
        heads = self._architecture.num_attention_heads
        q, k, v = (
            self._linear(f"{name}.{part}_proj", rows)
            .reshape(1, len(rows), heads, -1)
            .transpose(0, 2, 1, 3)
            for part in "qkv"
        )
        scale = 1 / math.sqrt(q.shape[-1])
        parts = zip(*(mx.split(array, borders, axis=2) for array in (q, k, v)), strict=True)
        attended = [mx.fast.scaled_dot_product_attention(*part, scale=scale) for part in parts]
        joined = mx.concatenate(attended, axis=2).transpose(0, 2, 1, 3).reshape(rows.shape)
        return self._linear(f"{name}.out_proj", joined)

    def _linear(self, name: str, rows: mx.array) -> mx.array:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return mx.addmm(bias, rows, weight.T)

    def _norm(self, name: str, rows: mx.array, epsilon: float | None = None) -> mx.array:
        """Layer norm over the channels."""
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        used = self._architecture.layer_norm_eps if epsilon is None else epsilon
        return mx.fast.layer_norm(rows, weight, bias, used)
