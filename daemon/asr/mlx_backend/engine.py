"""What runs on the device: encoding chunks, beginning transcripts, and one step of all rows."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import mlx.core as mx
import numpy as np

from daemon.asr.mlx_backend import cpu_kernels, cuda_encoder
from daemon.asr.mlx_backend.cuda_decoder import CudaDecoder, fits
from daemon.asr.mlx_backend.log_mel import log_mel
from daemon.asr.mlx_backend.rows import BLOCK, Rows, grown
from daemon.asr.mlx_backend.token_rules import Sampled, Scores, TokenRules
from daemon.asr.mlx_backend.whisper import KeysValues, Whisper
from daemon.asr.vocabulary import Vocabulary
from daemon.audio import FloatArray, Int16Array

Candidate = tuple[float, int]  # a token that may come next: its log probability, and itself


class Engine:
    """A model and its token rules. `kernels`: use those written for this device, if any."""

    def __init__(self, model: Whisper, vocabulary: Vocabulary, *, kernels: bool = True) -> None:
        if mx.default_device() == mx.cpu:
            # There MLX has g++ compile each fused operation, seconds of waiting for each of dozens,
            # and no folder of a stage keeps them for the next process.
            mx.disable_compile()
        self._model = model
        self._vocabulary = vocabulary
        self._rules = TokenRules(vocabulary)
        self._cuda = CudaDecoder(model, self._rules) if kernels and fits(model) else None
        self._encode = mx.compile(
            partial(cuda_encoder.encode, model.encoder) if self._cuda else model.encoder
        )
        # Compiled twice: noise for a whole vocabulary is not drawn where nothing is sampled.
        self._greedy = mx.compile(
            self._cuda.greedy_step if self._cuda else partial(self._step, sample=False)
        )
        self._sampling = mx.compile(partial(self._step, sample=True))
        self._read_prompts = mx.compile(self._cuda.read if self._cuda else self._plain_read)

    def room(self, prompt: int) -> int:
        """The most tokens that a transcript after `prompt` tokens has (openai/whisper's limit)."""
        context = self._model.dimensions.n_text_ctx
        return min(context // 2, context - prompt)

    def encode(self, chunks: Sequence[FloatArray | Int16Array]) -> list[KeysValues]:
        """Encode chunks of audio, 16 kHz mono; each layer's keys and values of them."""
        mel = log_mel(chunks, self._model.dimensions.n_mels).astype(self._model.dtype)
        with cpu_kernels.all_cores():
            cross = self._model.decoder.keys_values(self._encode(mel))
            if mx.default_device() == mx.cpu:
                mx.eval(cross)
        # The device begins while the host prepares the next chunks.
        mx.async_eval(cross)  # type: ignore[no-untyped-call]
        return cross

    def language_probabilities(self, cross: Sequence[KeysValues]) -> dict[str, float]:
        """How probable each language is in what one row hears."""
        logits, _ = self._read([[self._vocabulary.sot]], cross)
        tokens = mx.array(list(self._vocabulary.languages.values()))
        probabilities = np.array(mx.softmax(logits[0, -1][tokens]))
        return dict(zip(self._vocabulary.languages, probabilities.tolist(), strict=True))

    def begin(
        self,
        cross: list[KeysValues],
        prompts: Sequence[Sequence[int]],
        temperatures: Sequence[float],
        seeds: Sequence[tuple[int, int]],
    ) -> Rows:
        """One row for each prompt, its first token sampled. Prompts are of one length."""
        logits, own = self._read(prompts, cross)
        length = len(prompts[0])
        heard = mx.softmax(logits[:, 0], axis=-1)[:, self._vocabulary.no_speech]
        keys = mx.array(np.array(seeds, np.uint32))
        temperature = mx.array(np.array(temperatures, np.float32))
        scores = self._first(logits, prompts)
        if any(temperatures):
            token = scores.pick(temperature, keys)
            logprob = scores.logprob(token)
        else:
            token, logprob = scores.best()
        sampled = self._rules.after(self._rules.start(len(prompts)), token)
        limit = length + self.room(length) - 1
        scalars = {
            "last": sampled.last,
            "before": sampled.before,
            "stamp": sampled.stamp,
            "position": mx.full((len(prompts),), length, dtype=mx.int32),
            "limit": mx.full((len(prompts),), limit, dtype=mx.int32),
            "done": mx.zeros((len(prompts),), dtype=mx.bool_),
            "logprob": logprob,
            "no_speech": heard,
            "temperature": temperature,
            "key": keys,
        }
        rows = Rows(scalars, own, cross)
        rows.grow(-(-(length + BLOCK // 2) // BLOCK) * BLOCK)
        return rows

    @property
    def eot(self) -> int:
        return self._vocabulary.eot

    def first_candidates(
        self, cross: list[KeysValues], prompts: Sequence[Sequence[int]], count: int
    ) -> tuple[list[list[Candidate]], list[float], list[mx.array]]:
        """The `count` best first tokens after each prompt; prompts are of one length.

        And for each how probable no speech is, and the prompts' keys and values.
        """
        logits, own = self._read(prompts, cross)
        heard = mx.softmax(logits[:, 0], axis=-1)[:, self._vocabulary.no_speech]
        silence: list[float] = heard.tolist()  # type: ignore[assignment]
        return _best(self._first(logits, prompts), count), silence, own

    def next_candidates(
        self,
        transcripts: Sequence[Sequence[int]],
        position: int,
        own: list[mx.array],
        cross: list[KeysValues],
        count: int,
    ) -> tuple[list[list[Candidate]], list[mx.array]]:
        """The `count` best tokens after each transcript, whose last token stands at `position`.

        `own` are the keys and values of what is before it, `cross` is made by `for_beams`.
        """
        own = grown(own, position + 1)
        sampled = self._rules.state(transcripts)
        at = mx.full((len(transcripts),), position, dtype=mx.int32)
        logits, own = self._next_logits(sampled.last, at, own, cross)
        return _best(self._rules.next(logits, sampled), count), own

    def for_beams(self, cross: list[KeysValues], width: int) -> list[KeysValues]:
        """The audio's keys and values for `width` rows of each chunk."""
        if self._cuda is None:
            return cross  # neighbouring rows share them
        return [(mx.repeat(k, width, axis=0), mx.repeat(v, width, axis=0)) for k, v in cross]

    def step(self, rows: Rows, *, sample: bool) -> None:
        """One more token for every row that is not done. `sample`: some row is above 0 degrees."""
        step = self._sampling if sample else self._greedy
        rows.scalars, rows.own = step(rows.scalars, rows.own, rows.cross)

    def _first(self, logits: mx.array, prompts: Sequence[Sequence[int]]) -> Scores:
        plain = [self._vocabulary.is_plain(prompt) for prompt in prompts]
        return self._rules.first(logits[:, -1], plain)

    def _read(
        self, prompts: Sequence[Sequence[int]], cross: Sequence[KeysValues]
    ) -> tuple[mx.array, list[mx.array]]:
        """Logits (b, 2, vocabulary) after the start of transcript and after the prompt's end."""
        start = list(prompts[0]).index(self._vocabulary.sot)
        tokens = mx.array(np.array(prompts, np.int32))
        hidden, own = self._read_prompts(tokens, cross)
        at = mx.array([start, tokens.shape[1] - 1])
        return self._model.decoder.logits(hidden[:, at]), own

    def _plain_read(
        self, tokens: mx.array, cross: Sequence[KeysValues]
    ) -> tuple[mx.array, list[mx.array]]:
        """Prompts (b, t) of one length → hidden states (b, t, d), and their keys and values."""
        own: list[mx.array] = []

        def cache_update(_: int, kv: mx.array) -> mx.array:
            own.append(kv)
            return kv

        positions = mx.arange(tokens.shape[1])[None]
        return self._model.decoder(tokens, positions, cache_update, "causal", cross), own

    def _step(
        self,
        scalars: dict[str, mx.array],
        own: list[mx.array],
        cross: list[KeysValues],
        *,
        sample: bool,
    ) -> tuple[dict[str, mx.array], list[mx.array]]:
        position, done = scalars["position"], scalars["done"]
        logits, own = self._next_logits(scalars["last"], position, own, cross)
        sampled = Sampled(scalars["last"], scalars["before"], scalars["stamp"])
        if sample:
            scores = self._rules.next(logits, sampled)
            keys = _at_position(scalars["key"], position)
            token = scores.pick(scalars["temperature"], keys)
            logprob = scores.logprob(token)
        else:
            token, logprob = self._rules.greedy(logits, sampled)
        token = mx.where(done, self._vocabulary.eot, token)
        sampled = self._rules.after(sampled, token)
        position = position + ~done
        changed = {
            "last": sampled.last,
            "before": sampled.before,
            "stamp": sampled.stamp,
            "position": position,
            "logprob": scalars["logprob"] + mx.where(done, 0.0, logprob),
            "done": done | (token == self._vocabulary.eot) | (position >= scalars["limit"]),
        }
        return scalars | changed, own

    def _next_logits(
        self,
        tokens: mx.array,
        position: mx.array,
        own: list[mx.array],
        cross: list[KeysValues],
    ) -> tuple[mx.array, list[mx.array]]:
        if self._cuda is not None:
            return self._cuda.next_logits(tokens, position, own, cross)
        known = list(own)
        column = position[:, None, None, None]

        def cache_update(layer: int, kv: mx.array) -> mx.array:
            known[layer] = mx.put_along_axis(known[layer], column, kv, axis=2)
            return known[layer]

        mask = mx.arange(own[0].shape[2]) <= position[:, None]
        hidden = self._model.decoder(
            tokens[:, None], position[:, None], cache_update, mask[:, None, None], cross
        )
        return self._model.decoder.logits(hidden[:, 0]), known


def _best(scores: Scores, count: int) -> list[list[Candidate]]:
    """Each row's `count` most probable tokens, in no order."""
    logprobs = scores.logprobs()
    tokens = mx.argpartition(-logprobs, kth=count, axis=-1)[:, :count]
    values = mx.take_along_axis(logprobs, tokens, axis=-1)
    pairs = zip(np.array(values).tolist(), np.array(tokens).tolist(), strict=True)
    return [list(zip(*row, strict=True)) for row in pairs]


def _at_position(keys: mx.array, position: mx.array) -> mx.array:
    """A row's random key for one position, (b, 2)."""
    return mx.stack([keys[:, 0], keys[:, 1] + position.astype(mx.uint32)], axis=-1)
