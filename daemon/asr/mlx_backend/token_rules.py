"""Which token may follow: openai/whisper's SuppressTokens and ApplyTimestampRules, on the device.

The rules (openai/whisper, decoding.py): timestamps come in pairs, except directly before the end of
text; they never decrease, and a segment has a length; the first token is a timestamp, at most one
second; and where all timestamps together are more probable than any other token, a timestamp it is.
mlx_whisper compares positions with token values in the second rule, so that it never applies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import mlx.core as mx
import numpy as np

from daemon.asr.mlx_backend import cpu_kernels
from daemon.asr.vocabulary import Vocabulary
from daemon.audio import FloatArray

FIRST_TIMESTAMP = 50  # a transcript begins in the first second of its chunk


@dataclass(frozen=True, slots=True)
class Sampled:
    """What the rules need to know of rows' transcripts, each (b,) int32."""

    last: mx.array  # the last token
    before: mx.array  # the one before it; the first timestamp where there is none
    stamp: mx.array  # the last timestamp; where there is none, one after which none can come


@dataclass(frozen=True, slots=True)
class Scores:
    """Masked logits (b, tokens), and where text is ruled out (b,)."""

    text: mx.array  # the tokens before the first timestamp
    stamps: mx.array  # the timestamps
    stamps_win: mx.array

    def pick(self, temperature: mx.array | None = None, keys: mx.array | None = None) -> mx.array:
        """The next tokens (b,): the most probable, or sampled where `temperature` (b,) is > 0.

        `keys` (b, 2) are the rows' random keys: a row's draw does not depend on its neighbours.
        """
        text, stamps = self.text, self.stamps
        if temperature is not None:
            noise = _gumbel(keys, text.shape[1] + stamps.shape[1]) * temperature[:, None]
            text, stamps = text + noise[:, : text.shape[1]], stamps + noise[:, text.shape[1] :]
        best_text, best_stamp = mx.argmax(text, axis=-1), mx.argmax(stamps, axis=-1)
        stamp_is_best = _at(stamps, best_stamp) > _at(text, best_text)
        picked = mx.where(self.stamps_win | stamp_is_best, best_stamp + text.shape[1], best_text)
        return picked.astype(mx.int32)

    def best(self) -> tuple[mx.array, mx.array]:
        """The most probable tokens (b,), and their log probabilities (b,): no sampling."""
        top_text, top_stamp = mx.max(self.text, axis=-1), mx.max(self.stamps, axis=-1)
        stamps = _logsumexp(self.stamps)
        is_stamp = self.stamps_win | (top_stamp > top_text)
        border = self.text.shape[1]
        best_text, best_stamp = mx.argmax(self.text, axis=-1), mx.argmax(self.stamps, axis=-1)
        token = mx.where(is_stamp, best_stamp + border, best_text).astype(mx.int32)
        total = mx.logaddexp(_logsumexp(self.text), stamps)
        top = mx.where(is_stamp, top_stamp, top_text)
        return token, top - mx.where(self.stamps_win, stamps, total)

    def logprobs(self) -> mx.array:
        """Log probabilities (b, tokens) of all tokens under the rules."""
        stamps = _logsumexp(self.stamps)
        both = mx.logaddexp(_logsumexp(self.text), stamps)
        text = mx.where(self.stamps_win[:, None], -mx.inf, self.text)
        total = mx.where(self.stamps_win, stamps, both)
        return mx.concatenate([text, self.stamps], axis=-1) - total[:, None]

    def logprob(self, tokens: mx.array) -> mx.array:
        """Log probabilities (b,) of `tokens` (b,) under the rules."""
        border = self.text.shape[1]
        stamps = _logsumexp(self.stamps)
        both = mx.logaddexp(_logsumexp(self.text), stamps)
        logit = mx.where(
            tokens < border,
            _at(self.text, mx.minimum(tokens, border - 1)),
            _at(self.stamps, mx.maximum(tokens - border, 0)),
        )
        return logit - mx.where(self.stamps_win, stamps, both)


class TokenRules:
    """The rules of one vocabulary; `logits` are (b, vocabulary) float32."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.begin = vocabulary.timestamp_begin
        self.eot = vocabulary.eot
        allowed = np.ones(self.begin, np.bool_)
        allowed[list(vocabulary.never)] = False
        self.allowed = mx.array(allowed)
        self._never = list(vocabulary.never)
        begins = allowed.copy()
        begins[list(vocabulary.blank)] = False
        self._begins = mx.array(begins)
        stamps = vocabulary.size - self.begin
        self._last_stamp = vocabulary.size - 1
        self._stamp_ids = mx.arange(self.begin, self.begin + stamps)
        self._text_ids = mx.arange(self.begin)

    def start(self, rows: int) -> Sampled:
        """The state of `rows` transcripts in which nothing has been sampled."""
        begin = mx.full((rows,), self.begin, dtype=mx.int32)
        none = mx.full((rows,), self._last_stamp, dtype=mx.int32)
        return Sampled(last=begin, before=begin, stamp=none)

    def state(self, transcripts: Sequence[Sequence[int]]) -> Sampled:
        """The state after `transcripts`, none of them empty."""
        begin = self.begin
        stamps = [[token for token in tokens if token >= begin] for tokens in transcripts]
        return Sampled(
            last=mx.array([tokens[-1] for tokens in transcripts]),
            before=mx.array([tokens[-2] if len(tokens) > 1 else begin for tokens in transcripts]),
            stamp=mx.array([found[-1] if found else self._last_stamp for found in stamps]),
        )

    def first(self, logits: mx.array, plain: Sequence[bool]) -> Scores:
        """A transcript's first token: a timestamp of the first second.

        Or text, where it is `plain`: a transcript that does not begin with a timestamp has none.
        """
        without = mx.array(list(plain))[:, None]
        late = self._stamp_ids > self.begin + FIRST_TIMESTAMP
        return Scores(
            text=mx.where(without & self._begins, logits[:, : self.begin], -mx.inf),
            stamps=mx.where(without | late, -mx.inf, logits[:, self.begin :]),
            stamps_win=~without[:, 0],
        )

    def next(self, logits: mx.array, sampled: Sampled) -> Scores:
        """Any later token."""
        stamped = sampled.last >= self.begin
        opens = stamped & (sampled.before >= self.begin)  # a second timestamp: text must follow
        closes = stamped & ~opens  # its partner must follow, or the end of text
        earliest = mx.where(closes, sampled.stamp, sampled.stamp + 1)
        text = mx.where(
            self.allowed & ~(closes[:, None] & (self._text_ids < self.eot)),
            logits[:, : self.begin],
            -mx.inf,
        )
        stamps = mx.where(
            opens[:, None] | (self._stamp_ids < earliest[:, None]),
            -mx.inf,
            logits[:, self.begin :],
        )
        return Scores(text, stamps, _logsumexp(stamps) > mx.max(text, axis=-1))

    def greedy(self, logits: mx.array, sampled: Sampled) -> tuple[mx.array, mx.array]:
        """The most probable later tokens (b,), and their log probabilities (b,)."""
        if not cpu_kernels.pays(logits):
            return self.next(logits, sampled).best()
        # In numpy, a row at a time: on a CPU, MLX takes longer for the same few passes.
        rows = np.array(logits)
        last, before, stamp = map(np.array, (sampled.last, sampled.before, sampled.stamp))
        tokens, logprobs = np.empty(len(rows), np.int32), np.empty(len(rows), np.float32)

        def pick(part: slice) -> None:
            for at in range(*part.indices(len(rows))):
                found = self._most_probable(rows[at], last[at], before[at], stamp[at])
                tokens[at], logprobs[at] = found

        cpu_kernels.in_parts(len(rows), pick)
        return mx.array(tokens), mx.array(logprobs)

    def _most_probable(
        self, logits: FloatArray, last: int, before: int, stamp: int
    ) -> tuple[int, float]:
        """As `next` and `best` find it, for one row (vocabulary,), which is overwritten."""
        stamped = last >= self.begin
        opens = stamped and before >= self.begin
        closes = stamped and not opens
        logits[self._never] = -np.inf
        logits[self.begin : len(logits) if opens else stamp + (not closes)] = -np.inf
        first = self.eot if closes else 0
        allowed, text, stamps = logits[first:], logits[first : self.begin], logits[self.begin :]
        total = cpu_kernels.log_sum(stamps)
        if total > text.max():
            best = int(stamps.argmax())
            return self.begin + best, float(stamps[best] - total)
        best = int(allowed.argmax())
        return first + best, float(allowed[best] - np.logaddexp(total, cpu_kernels.log_sum(text)))

    def after(self, sampled: Sampled, tokens: mx.array) -> Sampled:
        """The state once `tokens` (b,) have been sampled."""
        stamp = mx.where(tokens >= self.begin, tokens, sampled.stamp)
        return Sampled(last=tokens, before=sampled.last, stamp=stamp)


def _logsumexp(scores: mx.array) -> mx.array:
    """Over the last axis."""
    if cpu_kernels.pays(scores):
        return cpu_kernels.logsumexp(scores)
    return mx.logsumexp(scores, axis=-1)


def _at(scores: mx.array, index: mx.array) -> mx.array:
    return mx.take_along_axis(scores, index[:, None], axis=-1)[:, 0]


def _gumbel(keys: mx.array | None, size: int) -> mx.array:
    """Noise (b, size): adding it and taking the maximum samples from the softmax."""
    noise: mx.array = mx.vmap(lambda key: mx.random.gumbel((size,), key=key))(keys)
    return noise
