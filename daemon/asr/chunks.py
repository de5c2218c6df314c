"""Speech, cut and merged into the chunks that one window of the encoder takes.

The cut-and-merge of WhisperX (Bain et al., 2023, section 2.2): neighbouring spans of speech share
a chunk as long as it fits the window; a cut never falls inside a word where silence can be found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from daemon.audio import SAMPLE_RATE, FloatArray, Span, Waveform

WINDOW = 30.0  # seconds of audio that Whisper's encoder takes
# Seconds of sound around a chunk's speech. With the margin of the detection itself 400 ms: with
# less, Whisper mishears first words.
PADDING = 0.3
_LONG_PAUSE = 1.5  # seconds; words before or after a longer one in the same window get lost
_BREATH = 15.0  # seconds of speech that may be one segment
_SHORT_PAUSE = 0.5  # seconds; in a longer one an utterance may end
_ALONE = 1.5  # seconds of speech; less than that is easily misheard by itself
_LEAST = 0.02  # seconds; anything shorter holds no sound that has a name
_FRAME = 320  # samples, 20 ms: how finely the quietest moment is looked for
_QUIET = 5  # frames; a moment is quiet when 100 ms around it are
_LEAST_HALF = 2.5  # seconds of speech that either half of a chunk has


@dataclass(frozen=True, slots=True)
class Chunk:
    """At most `WINDOW` seconds of a recording, and the speech inside; all in its seconds.

    `context` are the text tokens of what was said before it, where it continues another chunk.
    """

    start: float
    end: float
    speech: tuple[Span, ...]
    context: tuple[int, ...] = ()

    @property
    def speech_seconds(self) -> float:
        return _seconds(self.speech)

    @property
    def continuous(self) -> bool:
        """Whether it is said in one breath: its one utterance is where its speech is.

        Timestamps would tell nothing more about it, and without them Whisper mishears fewer words
        (WhisperX and faster-whisper's batches ask for none).
        """
        return self.speech_seconds <= _BREATH and all(
            start - end <= _SHORT_PAUSE for (_, end), (start, _) in pairwise(self.speech)
        )

    @property
    def divisible(self) -> bool:
        """Whether it is long enough to be decoded in two halves."""
        return self.speech_seconds >= 2 * _LEAST_HALF + 1.0

    @property
    def span(self) -> slice:
        """Which of the recording's samples it is."""
        return slice(round(self.start * SAMPLE_RATE), round(self.end * SAMPLE_RATE))

    def samples(self, audio: Waveform) -> FloatArray:
        return audio[self.span]

    def speech_until(self, moment: float) -> float:
        """Seconds of its speech before `moment`."""
        return _seconds((start, min(end, moment)) for start, end in self.speech if start < moment)

    def rest(self, start: float, context: Sequence[int] = ()) -> Chunk | None:
        """What of this chunk's speech comes after `start`; None where nothing does."""
        speech = tuple((max(a, start), b) for a, b in self.speech if b - max(a, start) > _LEAST)
        if not speech:
            return None
        return Chunk(max(start, speech[0][0] - PADDING), self.end, speech, tuple(context))

    def halves(self, audio: Waveform) -> tuple[Chunk, Chunk] | None:
        """Two parts, cut in a pause or at a quiet moment; None where it is too short for that."""
        if not self.divisible:
            return None
        cut = self._pause() or _quietest(
            audio, *((self.start * (1 - at) + self.end * at) for at in (0.35, 0.65))
        )
        second = self.rest(cut)
        first = tuple((a, min(b, cut)) for a, b in self.speech if min(b, cut) - a > _LEAST)
        if second is None or not first:
            return None
        return Chunk(self.start, min(cut, first[-1][1] + PADDING), first, self.context), second

    def _pause(self) -> float | None:
        """The middle of the pause that divides the speech best: a long one, near the middle."""
        total = self.speech_seconds
        best, found = 0.0, None
        for (_, end), (start, _) in pairwise(self.speech):
            before = self.speech_until(end)
            smaller = min(before, total - before)
            if smaller >= _LEAST_HALF and smaller * (start - end) > best:
                best, found = smaller * (start - end), (start + end) / 2
        return found


def cut_chunks(audio: Waveform, speech: Sequence[Span]) -> list[Chunk]:
    """Chunks that cover all of `speech` (seconds, in order) within `audio` (16 kHz, mono)."""
    duration = len(audio) / SAMPLE_RATE
    inside = ((max(0.0, start), min(end, duration)) for start, end in speech)
    spans = [span for span in inside if span[1] - span[0] > _LEAST]
    groups = list(_merge(short for span in spans for short in _shorten(audio, span)))
    # Between two chunks, either has its half of a short pause.
    middles = [(first[-1][1] + second[0][0]) / 2 for first, second in pairwise(groups)]
    borders = pairwise([0.0, *middles, duration])
    return [_padded(group, *border) for group, border in zip(groups, borders, strict=False)]


def _padded(speech: Sequence[Span], least: float, most: float) -> Chunk:
    start, end = speech[0][0], speech[-1][1]
    padding = min(PADDING, (WINDOW - (end - start)) / 2)
    return Chunk(max(start - padding, least), min(end + padding, most), tuple(speech))


def _merge(spans: Iterable[Span]) -> Iterator[list[Span]]:
    group: list[Span] = []
    for span in spans:
        if group and (span[1] - group[0][0] > WINDOW or _is_apart(group, span)):
            yield group
            group = []
        group.append(span)
    if group:
        yield group


def _is_apart(group: Sequence[Span], span: Span) -> bool:
    """Whether a long pause parts `span` from what is more than a word alone."""
    return span[0] - group[-1][1] > _LONG_PAUSE and _seconds(group) > _ALONE


def _shorten(audio: Waveform, span: Span) -> Iterator[Span]:
    """Cut a span that no window holds at the quietest moments of its windows' second halves."""
    start, end = span
    while end - start > WINDOW:
        cut = _quietest(audio, start + WINDOW / 2, start + WINDOW)
        yield start, cut
        start = cut
    yield start, end


def _quietest(audio: Waveform, start: float, end: float) -> float:
    first = round(start * SAMPLE_RATE)
    window = audio[first : round(end * SAMPLE_RATE)]
    frames = window[: len(window) // _FRAME * _FRAME].reshape(-1, _FRAME)
    loudness = np.convolve(np.square(frames).mean(axis=1), np.ones(_QUIET), mode="valid")
    frame = int(np.argmin(loudness)) + _QUIET // 2
    return (first + frame * _FRAME + _FRAME // 2) / SAMPLE_RATE


def _seconds(spans: Iterable[Span]) -> float:
    return sum(end - start for start, end in spans)
