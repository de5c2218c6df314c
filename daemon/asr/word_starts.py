"""Whisper's own words begin too early after a pause: the attention moves on while nobody speaks.

Two things are known better. A word is not said much more slowly than the words around it, so one
that lasts too long begins with a pause (openai/whisper cuts such words at the ends of sentences
only). And a word does not begin where it is quiet.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from statistics import median

import numpy as np

from daemon.asr.quality import letters
from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.domain.transcript import Segment, Word

_SLOWEST = 1.2  # times the median duration of a letter around it
_ENOUGH = 5  # words, from which a median can be told
_FRAME = SAMPLE_RATE // 100  # samples between two looks at the loudness, 10 ms
_WINDOW = 2 * _FRAME
_QUIET = 0.4  # of the way, in decibels, from the softest moments to the loudest
_PAUSE = 5  # frames of quiet that are more than the closure of a consonant


def delay_starts(samples: FloatArray, offset: float, segments: Sequence[Segment]) -> list[Segment]:
    """The segments with each word's start moved over the pause that it begins with.

    `samples` (16 kHz) begin `offset` seconds into the recording. Starts are never moved beyond
    their word's end, so their order stays.
    """
    seconds = [
        (word.end - word.start) / letters(word.word)
        for segment in segments
        for word in segment.words
        if letters(word.word)
    ]
    slowest = _SLOWEST * median(seconds) if len(seconds) >= _ENOUGH else float("inf")
    loud = _loud(samples)

    def delayed(word: Word) -> Word:
        start = max(word.start, word.end - slowest * max(1.0, letters(word.word)))
        start = _after_quiet(loud, start - offset, word.end - offset) + offset
        return replace(word, start=round(min(start, word.end), 3))

    return [replace(segment, words=tuple(map(delayed, segment.words))) for segment in segments]


def _loud(samples: FloatArray) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which frames are loud, by the soft and the loud moments around them."""
    if len(samples) < _WINDOW:
        return np.ones(0, np.bool_)
    windows = np.lib.stride_tricks.sliding_window_view(samples, _WINDOW)[::_FRAME]
    levels = 10 * np.log10(np.square(windows, dtype=np.float64).mean(axis=1) + 1e-12)
    soft, loud = np.percentile(levels, [5, 95])
    above: np.ndarray[tuple[int], np.dtype[np.bool_]] = levels > soft + _QUIET * (loud - soft)
    return above


def _after_quiet(
    loud: np.ndarray[tuple[int], np.dtype[np.bool_]], start: float, end: float
) -> float:
    """When it gets loud between `start` and `end`, where it is quiet at first and for long."""
    first = max(0, int(start * 100))
    sounding = np.flatnonzero(loud[first : int(end * 100)])
    if not len(sounding) or sounding[0] < _PAUSE:
        return start
    return float(first + sounding[0]) / 100
