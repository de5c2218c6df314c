"""Times that can be relied on: in milliseconds, in order, within the recording. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from daemon.domain.transcript import Segment, Word


def settle_times(segments: Sequence[Segment], duration: float) -> tuple[Segment, ...]:
    """Round to milliseconds and make times monotonic and inside [0, duration] (seconds).

    Segments keep their order; each starts no earlier than the last word before it, and its words
    lie inside it in order. Times that are not finite numbers become the nearest valid ones.
    """
    limit = _rounded_down(duration)
    settled: list[Segment] = []
    floor = 0.0
    for segment in segments:
        start = _clamp(segment.start, floor, limit)
        end = _clamp(segment.end, start, limit)
        words = _settle_words(segment.words, start, end)
        settled.append(replace(segment, start=start, end=end, words=words))
        floor = words[-1].start if words else start
    return tuple(settled)


def _settle_words(words: Sequence[Word], start: float, end: float) -> tuple[Word, ...]:
    settled: list[Word] = []
    floor = start
    for word in words:
        word_start = _clamp(word.start, floor, end)
        word_end = _clamp(word.end, word_start, end)
        score = _clamp(word.score, 0.0, 1.0)
        settled.append(replace(word, start=word_start, end=word_end, score=score))
        floor = word_start
    return tuple(settled)


def _clamp(value: float, low: float, high: float) -> float:
    return min(max(round(value, 3), low), high) if math.isfinite(value) else low


def _rounded_down(seconds: float) -> float:
    """To milliseconds; flooring alone would make 1.001 s, times 1000, one millisecond less."""
    rounded = round(seconds, 3)
    return rounded if rounded <= seconds else round(rounded - 0.001, 3)
