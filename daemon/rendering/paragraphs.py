"""Sentences and paragraphs: a transcript as people read it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from daemon.domain.transcript import Segment
from daemon.rendering.transcript import Transcript
from daemon.rendering.units import SENTENCE, Unit, joined, units

_NO_LIMIT = 1_000_000
_SENTENCE_PAUSE = 1.0  # seconds of silence that end a sentence without a full stop
_PAUSE = 1.5  # seconds between two sentences that begin a paragraph
_LONG_PAUSE = 4.0  # begins a paragraph even in mid-sentence
_LONG, _TOO_LONG = 400, 900  # columns after which a short pause, or any full stop, is enough
_SHORT_PAUSE = 0.4


@dataclass(frozen=True, slots=True)
class Sentence:
    """`speaker` is "" if unknown. Times in seconds."""

    start: float
    end: float
    text: str
    speaker: str
    units: tuple[Unit, ...]


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What one speaker said without a break."""

    speaker: str
    sentences: tuple[Sentence, ...]

    @property
    def start(self) -> float:
        return self.sentences[0].start

    @property
    def text(self) -> str:
        return joined([unit for sentence in self.sentences for unit in sentence.units])


def sentences(transcript: Transcript) -> list[Sentence]:
    """Cut at full stops, at pauses of a second, and where the speaker changes."""
    return [
        sentence
        for speaker, turn in groupby(transcript.segments, key=lambda segment: segment.speaker)
        for sentence in _sentences(tuple(turn), speaker or "", transcript.language)
    ]


def _sentences(segments: Sequence[Segment], speaker: str, language: str) -> Iterator[Sentence]:
    row = units(segments, language, _NO_LIMIT)
    begun = 0
    for at, unit in enumerate(row):
        last = at + 1 == len(row)
        if last or unit.ends == SENTENCE or row[at + 1].start - unit.end >= _SENTENCE_PAUSE:
            said = tuple(row[begun : at + 1])
            yield Sentence(said[0].start, said[-1].end, joined(said), speaker, said)
            begun = at + 1


def paragraphs(sentences: Sequence[Sentence]) -> list[Paragraph]:
    """Sentences gathered until the speaker changes, a pause comes, or it is long enough."""
    found: list[Paragraph] = []
    held: list[Sentence] = []
    for sentence in sentences:
        if held and _begins(held, sentence):
            found.append(Paragraph(held[0].speaker, tuple(held)))
            held = []
        held.append(sentence)
    if held:
        found.append(Paragraph(held[0].speaker, tuple(held)))
    return found


def _begins(held: Sequence[Sentence], following: Sentence) -> bool:
    """Whether a paragraph begins with `following`, after the sentences held so far."""
    before = held[-1]
    pause = following.start - before.end
    if before.speaker != following.speaker or pause >= _LONG_PAUSE:
        return True
    if before.units[-1].ends != SENTENCE:
        return False
    length = sum(unit.columns + 1 for sentence in held for unit in sentence.units)
    return pause >= _PAUSE or length >= _TOO_LONG or (length >= _LONG and pause >= _SHORT_PAUSE)
