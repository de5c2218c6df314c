"""The wav2vec 2.0 network (Baevski et al. 2020, arXiv 2006.11477) with a CTC head, in numpy.

The same arithmetic as transformers' Wav2Vec2ForCTC and torchaudio's Wav2Vec2Model in float32, for
inference on a CPU, batched without padding: the segments' frames lie one behind the other, so what
looks at one frame (nine tenths of the transformer's work) is cut into blocks of any frames; the
rest goes segment by segment. So a segment's result does not depend on the batch that it is in.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, pairwise

import numpy as np

from daemon.alignment import kernels
from daemon.alignment.architecture import Architecture
from daemon.alignment.feature_extractor import FeatureExtractor
from daemon.alignment.network import Network
from daemon.alignment.positions import Piece, PositionalEmbedding
from daemon.alignment.threads import Threads
from daemon.audio import FloatArray

Bounds = Sequence[tuple[int, int]]  # where each segment's frames start and end

_POSITIONS = "encoder.pos_conv_embed.conv"
_HEARD = 128  # frames whose audio is convolved together: what the first layers make stays in cache
_ROWS = 512  # frames that a layer takes together, at most
_FEWEST_ROWS = 32  # and at least; fewer multiply slower


@dataclass(frozen=True, slots=True)
class _Activations:
    """The batch on its way through the layers, all (frames, width)."""

    hidden: FloatArray
    query: FloatArray
    key: FloatArray
    value: FloatArray
    attended: FloatArray


class Wav2Vec2:
    """The network on the CPU.

    `weights` are float32, under Hugging Face's names without the leading "wav2vec2."; the
    positional convolution is one "weight", its weight norm multiplied out.
    """

    def __init__(
        self,
        architecture: Architecture,
        weights: Mapping[str, FloatArray],
        threads: Threads | None = None,
    ) -> None:
        self._architecture = architecture
        self._weights = weights
        self._threads = threads or Threads()
        heads = architecture.num_attention_heads
        self._head = len(weights["encoder.layer_norm.weight"]) // heads  # its width

    @cached_property  # not needed where another device computes
    def _features(self) -> FeatureExtractor:
        return FeatureExtractor(self._architecture, self._weights)

    @cached_property
    def _positions(self) -> PositionalEmbedding:
        name, groups = _POSITIONS, self._architecture.num_conv_pos_embedding_groups
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return PositionalEmbedding(weight, bias, groups)

    def to(self, device: str) -> Network:
        """The same network elsewhere: "mlx" is the GPU of a Mac through MLX, the others torch's."""
        if device == "cpu":
            return self
        if device == "mlx":
            from daemon.alignment.mlx_wav2vec2 import MlxWav2Vec2  # noqa: PLC0415 - not everywhere

            return MlxWav2Vec2(self._architecture, self._weights)
        from daemon.alignment.torch_wav2vec2 import TorchWav2Vec2  # noqa: PLC0415 - heavy

        return TorchWav2Vec2(self._architecture, self._weights, device)

    @property
    def shortest(self) -> int:
        """The fewest samples that a waveform may have."""
        return self._architecture.receptive_field

    def __call__(self, waveforms: Sequence[FloatArray]) -> list[FloatArray]:
        """Log-probabilities, shape (frames, characters), for each waveform of shape (samples,)."""
        counts = [self._architecture.frames(len(waveform)) for waveform in waveforms]
        segments = list(pairwise(accumulate(counts, initial=0)))
        width = len(self._weights["encoder.layer_norm.weight"])
        state = _Activations(*(np.empty((sum(counts), width), np.float32) for _ in range(5)))
        self._hear(waveforms, segments, state.hidden)
        self._add_positions(segments, state)
        layers = [f"encoder.layers.{i}" for i in range(self._architecture.num_hidden_layers)]
        heads = list(self._heads(segments))
        self._by_rows(state, lambda rows: self._begin(layers[0], rows, state))
        for layer, following in zip(layers, [*layers[1:], ""], strict=True):
            self._threads.run(lambda part: _attend(state, *part), heads)
            self._by_rows(state, self._layer_work(layer, following, state))
        log_probs = np.empty((sum(counts), len(self._weights["lm_head.bias"])), np.float32)

        def finish(rows: slice) -> None:
            log_probs[rows] = kernels.log_softmax(self._linear("lm_head", state.hidden[rows]))

        self._by_rows(state, finish)
        return [log_probs[a:b] for a, b in segments]

    def _hear(self, waveforms: Sequence[FloatArray], segments: Bounds, hidden: FloatArray) -> None:
        """The convolutions, and the projection of what they find."""
        heard = [np.ascontiguousarray(waveform, np.float32) for waveform in waveforms]
        kernels_of = [self._features.first_kernel(waveform) for waveform in heard]
        pieces = [
            (index, first, min(first + _HEARD, b - a))
            for index, (a, b) in enumerate(segments)
            for first in range(0, b - a, _HEARD)
        ]

        def hear(piece: tuple[int, int, int]) -> None:
            index, first, end = piece
            rows = self._features(heard[index], kernels_of[index], first, end)
            rows = self._norm("feature_projection.layer_norm", rows)
            at = segments[index][0]
            hidden[at + first : at + end] = self._linear("feature_projection.projection", rows)

        self._threads.run(hear, pieces)

    def _add_positions(self, segments: Bounds, state: _Activations) -> None:
        """Elsewhere first: a piece looks at its neighbours' frames as they were."""

        def embed(piece: Piece) -> None:
            _, _, first, end = piece
            state.attended[first:end] = self._positions(state.hidden, piece)

        self._threads.run(embed, self._positions.pieces(segments))
        state.hidden[:] += state.attended

    def _begin(self, layer: str, rows: slice, state: _Activations) -> None:
        if not self._architecture.do_stable_layer_norm:
            self._norm("encoder.layer_norm", state.hidden[rows])
        self._ask(layer, rows, state)

    def _layer_work(
        self, layer: str, following: str, state: _Activations
    ) -> Callable[[slice], None]:
        """What a layer does behind its attention, and what the following needs for its own."""
        stable = self._architecture.do_stable_layer_norm
        work = self._norm_first if stable else self._norm_last

        def compute(rows: slice) -> None:
            work(layer, state.hidden[rows], state.attended[rows])
            if following:
                self._ask(following, rows, state)
            elif stable:
                self._norm("encoder.layer_norm", state.hidden[rows])

        return compute

    def _norm_first(self, layer: str, hidden: FloatArray, attended: FloatArray) -> None:
        """A layer of the larger models (do_stable_layer_norm), in place."""
        hidden += self._linear(f"{layer}.attention.out_proj", attended)
        normed = self._norm(f"{layer}.final_layer_norm", hidden.copy())
        hidden += self._feed_forward(f"{layer}.feed_forward", normed)

    def _norm_last(self, layer: str, hidden: FloatArray, attended: FloatArray) -> None:
        """A layer of the base models, in place."""
        hidden += self._linear(f"{layer}.attention.out_proj", attended)
        self._norm(f"{layer}.layer_norm", hidden)
        hidden += self._feed_forward(f"{layer}.feed_forward", hidden)
        self._norm(f"{layer}.final_layer_norm", hidden)

    def _feed_forward(self, name: str, rows: FloatArray) -> FloatArray:
        inner = kernels.gelu(self._linear(f"{name}.intermediate_dense", rows))
        return self._linear(f"{name}.output_dense", inner)

    def _ask(self, layer: str, rows: slice, state: _Activations) -> None:
        """The queries, keys and values of some frames."""
        asking = state.hidden[rows]
        if self._architecture.do_stable_layer_norm:
            asking = self._norm(f"{layer}.layer_norm", asking.copy())
        query = self._linear(f"{layer}.attention.q_proj", asking)
        query *= np.float32(1 / math.sqrt(self._head))
        state.query[rows] = query
        state.key[rows] = self._linear(f"{layer}.attention.k_proj", asking)
        state.value[rows] = self._linear(f"{layer}.attention.v_proj", asking)

    def _heads(self, segments: Bounds) -> Iterator[tuple[slice, slice]]:
        """What attends to itself alone: a head's channels in a segment's frames."""
        for a, b in sorted(segments, key=lambda bounds: bounds[0] - bounds[1]):
            for head in range(self._architecture.num_attention_heads):
                yield slice(a, b), slice(head * self._head, (head + 1) * self._head)

    def _by_rows(self, state: _Activations, work: Callable[[slice], None]) -> None:
        self._threads.run(work, blocks(len(state.hidden), self._threads.count))

    def _linear(self, name: str, rows: FloatArray) -> FloatArray:
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return kernels.linear(rows, weight, bias)

    def _norm(self, name: str, rows: FloatArray) -> FloatArray:
        """In place."""
        weight, bias = self._weights[f"{name}.weight"], self._weights[f"{name}.bias"]
        return kernels.layer_norm(rows, weight, bias, self._architecture.layer_norm_eps)


def blocks(frames: int, threads: int) -> list[slice]:
    """Blocks of about the same size, as many for each thread: else one would wait for another."""
    rounds = -(-frames // (_ROWS * threads))
    count = max(1, min(rounds * threads, frames // _FEWEST_ROWS))
    edges = [frames * block // count for block in range(count + 1)]
    return [slice(a, b) for a, b in pairwise(edges)]


def _attend(state: _Activations, frames: slice, head: slice) -> None:
    query, key, value = (part[frames, head] for part in (state.query, state.key, state.value))
    kernels.attend(query, key, value, state.attended[frames, head])
