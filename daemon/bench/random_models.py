"""Whisper with random weights: ours and mlx_whisper's, of the large models' sizes.

How long a step takes does not depend on what the weights say, so nothing is downloaded. A
transcript is 100 tokens, half of a text context of 200: the end of text is never the best token.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace

import mlx.core as mx
import numpy as np
from mlx.utils import tree_flatten
from mlx_whisper import whisper as stock
from mlx_whisper.decoding import DecodingOptions

from daemon.asr.checkpoint import Dimensions
from daemon.asr.mlx_backend.attempts import BatchSize
from daemon.asr.mlx_backend.batch_decoder import BatchDecoder
from daemon.asr.mlx_backend.batch_size import batch_size, device_name
from daemon.asr.mlx_backend.engine import Engine
from daemon.asr.mlx_backend.log_mel import log_mel
from daemon.asr.mlx_backend.whisper import Whisper
from daemon.asr.quality import Decoded
from daemon.asr.vocabulary import Vocabulary
from daemon.audio import SAMPLE_RATE, FloatArray, Int16Array
from daemon.bench.measurement import Note

_LARGE = Dimensions(128, 1500, 1280, 20, 32, 51866, 200, 1280, 20, 32)
SIZES = {
    "large-v3": _LARGE,
    "large-v3-turbo": replace(_LARGE, n_text_layer=4),
    "tiny": Dimensions(80, 1500, 384, 6, 4, 51865, 200, 384, 6, 4),
}
_UNFUSED = {"qkv": ("query", "key", "value"), "kv": ("key", "value")}
_SPREAD = 20.0  # of the logits: a token stands out, so that no row is tried again


@dataclass(frozen=True, slots=True)
class Window:
    """A task whose language is given."""

    samples: FloatArray | Int16Array
    vocabulary: Vocabulary
    seed: int = 0
    beams: int = 1
    divisible: bool = False

    def prompt(self, detect: Callable[[], Mapping[str, float]]) -> Sequence[int]:
        del detect
        return self.vocabulary.prompt("en", None)

    def decoded(self, tokens: Sequence[int], avg_logprob: float, no_speech_prob: float) -> Decoded:
        return Decoded(tuple(tokens), "", avg_logprob, no_speech_prob)


class Ours:
    """Our engine with random weights, fp16 on a GPU, float32 on a CPU."""

    def __init__(self, size: Dimensions) -> None:
        self.model = Whisper(size)
        self.model.set_dtype(dtype())
        self.vocabulary = Vocabulary(size)
        never_end(self.model.decoder, self.vocabulary.eot)
        self.weights = _bytes(self.model)
        self.engine = Engine(self.model, self.vocabulary)
        self.size = batch_size(size, self.weights, dtype())

    def windows(
        self, samples: FloatArray | Int16Array, count: int, size: BatchSize
    ) -> Mapping[str, Note]:
        """Transcribe the same audio `count` times."""
        waiting = [Window(samples, self.vocabulary) for _ in range(count)]
        lengths: list[int] = []

        def take(most: int) -> list[Window]:
            taken = waiting[:most]
            del waiting[:most]
            return taken

        def give(_: Window, decoded: Decoded) -> None:
            lengths.append(len(decoded.tokens))

        mx.reset_peak_memory()
        BatchDecoder[Window](self.engine, self.vocabulary, size, (0.0,)).run(take, give)
        peak = round(mx.get_peak_memory() / 1e9, 1)
        return {"rows": size.rows, "tokens": max(lengths), "peak GB": peak}


class Stock:
    """mlx_whisper's model and its `decode`, one window at a time."""

    def __init__(self, size: Dimensions) -> None:
        self.model = stock.Whisper(stock.ModelDimensions(**asdict(size)), dtype())
        self.model.set_dtype(dtype())
        never_end(self.model.decoder, Vocabulary(size).eot)

    def window(self, samples: FloatArray) -> Mapping[str, Note]:
        mel = log_mel([samples], self.model.dims.n_mels)[0].astype(dtype())
        options = DecodingOptions(language="en", fp16=dtype() == mx.float16)
        return {"rows": 1, "tokens": len(self.model.decode(mel, options).tokens)}


def dtype() -> mx.Dtype:
    """What the engine computes in on this device."""
    return mx.float32 if device_name() == "cpu" else mx.float16


def never_end(decoder: Whisper, eot: int) -> None:
    """Spread the logits out, and make the end of text the least probable of the likely tokens."""
    embedding = decoder.token_embedding.weight * _SPREAD
    embedding[eot] = 0
    decoder.token_embedding.weight = embedding
    mx.eval(decoder.parameters())


def openai_weights(size: Dimensions) -> dict[str, FloatArray]:
    """Every weight under the name that MLX checkpoints give it: tiles of noise, float32."""
    model = Whisper(size)
    shapes = {name: array.shape for name, array in tree_flatten(model.parameters())}
    tile = np.random.default_rng(1).normal(0, 0.02, 1 << 22).astype(np.float32)
    weights: dict[str, FloatArray] = {}
    for name, shape in shapes.items():
        parts = _UNFUSED.get(name.rpartition(".")[0].rpartition(".")[2])
        for part in parts or ("",):
            whole = name.replace(".qkv.", f".{part}.").replace(".kv.", f".{part}.")
            rows = shape[0] // (len(parts) if parts else 1)
            weights[whole] = np.resize(tile, (rows, *shape[1:]))
    return weights


def _bytes(model: Whisper) -> int:
    return sum(array.nbytes for _, array in tree_flatten(model.parameters()))


def noise(seconds: int) -> FloatArray:
    samples = np.random.default_rng(0).normal(0, 0.1, seconds * SAMPLE_RATE)
    return samples.astype(np.float32)
