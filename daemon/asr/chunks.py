"""Speech, cut and merged into the chunks that one window of the encoder takes.

The cut-and-merge of WhisperX (Bain et al., 2023, section 2.2): neighbouring spans of speech share
a chunk as long as it fits the window; a cut never falls inside a word where silence can be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from daemon.asr.recognizer import SAMPLE_RATE, FloatArray, Span

WINDOW = 30.0  # seconds of audio that Whisper's encoder takes
_LEAST = 0.02  # seconds; anything shorter holds no sound that has a name
_FRAME = 320  # samples, 20 ms: how finely the quietest moment is looked for
_QUIET = 5  # frames; a moment is quiet when 100 ms around it are


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most `WINDOW` seconds of a recording, and the speech inside; all in its seconds."""

    start: float
    end: float
    speech: tuple[Span, ...]

    def samples(self, audio: FloatArray) -> FloatArray:
        return audio[round(self.start * SAMPLE_RATE) : round(self.end * SAMPLE_RATE)]

    def rest(self, start: float) -> Chunk | None:
        """What of this chunk's speech comes after `start`; None where nothing does."""
        speech = tuple((max(a, start), b) for a, b in self.speech if b - max(a, start) > _LEAST)
        return Chunk(speech[0][0], self.end, speech) if speech else None


def cut_chunks(audio: FloatArray, speech: Sequence[Span]) -> list[Chunk]:
    """Chunks that cover all of `speech` (seconds, in order) within `audio` (16 kHz, mono)."""
    duration = len(audio) / SAMPLE_RATE
    inside = ((max(0.0, start), min(end, duration)) for start, end in speech)
    spans = [span for span in inside if span[1] - span[0] > _LEAST]
    return list(_merge(short for span in spans for short in _shorten(audio, span)))


def _merge(spans: Iterable[Span]) -> Iterator[Chunk]:
    group: list[Span] = []
    for span in spans:
        if group and span[1] - group[0][0] > WINDOW:
            yield Chunk(group[0][0], group[-1][1], tuple(group))
            group = []
        group.append(span)
    if group:
        yield Chunk(group[0][0], group[-1][1], tuple(group))


def _shorten(audio: FloatArray, span: Span) -> Iterator[Span]:
    """Cut a span that no window holds at the quietest moments of its windows' second halves."""
    start, end = span
    while end - start > WINDOW:
        cut = _quietest(audio, start + WINDOW / 2, start + WINDOW)
        yield start, cut
        start = cut
    yield start, end


def _quietest(audio: FloatArray, start: float, end: float) -> float:
    first = round(start * SAMPLE_RATE)
    window = audio[first : round(end * SAMPLE_RATE)]
    frames = window[: len(window) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loudness = np.convolve(np.square(frames).mean(axis=1), np.ones(_QUIET), mode="valid")
    frame = int(np.argmin(loudness)) + _QUIET // 2
    return (first + frame * _FRAME + _FRAME // 2) / SAMPLE_RATE
