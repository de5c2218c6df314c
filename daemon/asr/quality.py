"""Is a decoded chunk good? OpenAI's three signs, and what to do about each.

Thresholds and temperatures are those of openai/whisper's `transcribe`.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

TEMPERATURES = (0.0, 0.2, 0.4, 0.6, 0.8, 1.0)  # tried in this order until a result is good
REPETITIVE = 2.4  # a text that zlib shrinks further than this goes round in circles
IMPROBABLE = -1.0  # mean natural log probability of a token
SILENT = 0.6  # probability of the no-speech token


@dataclass(frozen=True, slots=True)
class Decoded:
    """One attempt at one chunk: the sampled tokens, timestamps included, end of text not."""

    tokens: tuple[int, ...]
    text: str
    avg_logprob: float
    no_speech_prob: float

    @property
    def silent(self) -> bool:
        """There was nothing to hear, whatever the text says."""
        return self.no_speech_prob > SILENT and self.avg_logprob < IMPROBABLE

    @property
    def repetitive(self) -> bool:
        return compression_ratio(self.text) > REPETITIVE

    @property
    def good(self) -> bool:
        return self.silent or not (self.repetitive or self.avg_logprob < IMPROBABLE)


def compression_ratio(text: str) -> float:
    """How many times smaller zlib makes `text`; 0 for no text."""
    data = text.encode()
    return len(data) / len(zlib.compress(data)) if data else 0.0


def better(first: Decoded | None, second: Decoded) -> Decoded:
    """The one to keep where neither was good: rather improbable than going round in circles."""
    if first is None:
        return second
    return max(first, second, key=lambda each: (not each.repetitive, each.avg_logprob))
