"""The wav2vec 2.0 network of `wav2vec2`, through torch: for a GPU that MLX does not compute on.

The same arithmetic on the same weights; as there, segments lie one behind the other, and what looks
at more than one frame goes segment by segment.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn import functional

from daemon.alignment.architecture import Architecture
from daemon.alignment.torch_feature_extractor import FeatureExtractor
from daemon.alignment.torch_layers import Layers, bounds, convolve_as_product
from daemon.audio import FloatArray

Bounds = Sequence[tuple[int, int]]  # where each segment's frames start and end


class TorchWav2Vec2:
    """Satisfies `Network`. `arrays` are the weights that `Wav2Vec2` takes."""

    def __init__(
        self, architecture: Architecture, arrays: Mapping[str, FloatArray], device: str
    ) -> None:
        self._architecture = architecture
        if device == "cuda":  # ten bits of mantissa: the convolutions have no more by default
            torch.set_float32_matmul_precision("high")
        weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self._features = FeatureExtractor(architecture, weights, device)
        names = [name for name in weights if not name.startswith("feature_extractor.")]
        self._layers = Layers({name: weights[name] for name in names}, device)

    @property
    def shortest(self) -> int:
        """The fewest samples that a waveform may have."""
        return self._architecture.receptive_field

    def __call__(self, waveforms: Sequence[FloatArray]) -> list[FloatArray]:
        """Log-probabilities, shape (frames, characters), for each waveform of shape (samples,)."""
        frames = [self._architecture.frames(len(waveform)) for waveform in waveforms]
        with torch.inference_mode():
            log_probs = torch.log_softmax(self._logits(waveforms, bounds(frames)), dim=-1).cpu()
        return [part.numpy() for part in log_probs.split(frames)]

    def _logits(self, waveforms: Sequence[FloatArray], segments: Bounds) -> Tensor:
        features = torch.cat([self._features(waveform) for waveform in waveforms])
        hidden = self._norm("feature_projection.layer_norm", features)
        hidden = self._layers.linear("feature_projection.projection", hidden)
        return self._layers.linear("lm_head", self._encode(hidden, segments))

    def _encode(self, hidden: Tensor, segments: Bounds) -> Tensor:
        """The transformer: (frames, width) -> (frames, width)."""
        stable = self._architecture.do_stable_layer_norm
        layer = self._norm_first if stable else self._norm_last
        hidden = hidden + torch.cat([self._positions(hidden[a:b]) for a, b in segments])
        if not stable:
            hidden = self._norm("encoder.layer_norm", hidden)
        for index in range(self._architecture.num_hidden_layers):
            hidden = layer(f"encoder.layers.{index}", hidden, segments)
        return self._norm("encoder.layer_norm", hidden) if stable else hidden

    def _norm_first(self, name: str, hidden: Tensor, segments: Bounds) -> Tensor:
        """A layer of the larger models (do_stable_layer_norm)."""
        normed = self._norm(f"{name}.layer_norm", hidden)
        hidden = self._add_attention(f"{name}.attention", normed, hidden, segments)
        normed = self._norm(f"{name}.final_layer_norm", hidden)
        return self._add_feed_forward(f"{name}.feed_forward", normed, hidden)

    def _norm_last(self, name: str, hidden: Tensor, segments: Bounds) -> Tensor:
        """A layer of the base models."""
        hidden = self._add_attention(f"{name}.attention", hidden, hidden, segments)
        hidden = self._norm(f"{name}.layer_norm", hidden)
        hidden = self._add_feed_forward(f"{name}.feed_forward", hidden, hidden)
        return self._norm(f"{name}.final_layer_norm", hidden)

    def _positions(self, hidden: Tensor) -> Tensor:
        """The convolutional positional embedding of one segment: (frames, width) -> the same."""
        weight = self._layers.weights["encoder.pos_conv_embed.conv.weight"]
        bias = self._layers.weights["encoder.pos_conv_embed.conv.bias"]
        groups = self._architecture.num_conv_pos_embedding_groups
        convolve = convolve_as_product if hidden.is_cuda else functional.conv1d
        embedded = convolve(
            hidden.T[None], weight, bias, padding=weight.shape[-1] // 2, groups=groups
        )
        return functional.gelu(embedded[0, :, : len(hidden)]).T

    def _add_attention(self, name: str, rows: Tensor, onto: Tensor, segments: Bounds) -> Tensor:
        """`onto` + the self-attention of `rows` within each segment, in place."""
        heads = self._architecture.num_attention_heads
        query, key, value = (
            self._layers.linear(f"{name}.{part}_proj", rows).view(1, len(rows), heads, -1)
            for part in "qkv"
        )
        attended = torch.empty_like(query)
        for a, b in segments:
            inside = (part[:, a:b].transpose(1, 2) for part in (query, key, value))
            within = functional.scaled_dot_product_attention(*inside)
            attended[:, a:b] = within.transpose(1, 2)
        return self._layers.add_linear(f"{name}.out_proj", attended.view(rows.shape), onto)

    def _add_feed_forward(self, name: str, rows: Tensor, onto: Tensor) -> Tensor:
        """`onto` + the feed-forward network of `rows`, in place."""
        inner = torch.ops.aten.gelu_(self._layers.linear(f"{name}.intermediate_dense", rows))
        return self._layers.add_linear(f"{name}.output_dense", inner, onto)

    def _norm(self, name: str, hidden: Tensor) -> Tensor:
        return self._layers.norm(name, hidden, self._architecture.layer_norm_eps)
