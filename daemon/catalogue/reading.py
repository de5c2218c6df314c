"""What the search index needs of a transcript, read quickly: thousands may have to be read at once.

Of NAME.json, only the fields below are decoded; a sentence's time is sought only where a segment
holds the end of another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import msgspec

from daemon.catalogue.database import Entry, Passage
from daemon.catalogue.words import SEAM, searchable
from daemon.domain.transcript import Segment, Word, WordSource
from daemon.rendering.text import ends_sentence, is_unspaced
from daemon.rendering.transcript import cleaned
from daemon.rendering.units import CharacterTimes

_OPENING = 160  # characters
_PAUSE = 1.5  # seconds between two segments that end a passage
_LONG = 600  # characters after which a passage ends
_END = re.compile(r"(?<!\S)(\S*[^\w\s]) (?=(\S))")
_UNSPACED_END = re.compile(r"[。！？｡។။](?=.)")


class _Word(msgspec.Struct):
    word: str = ""
    start: float | None = None
    end: float | None = None


class _Segment(msgspec.Struct):
    start: float
    end: float
    text: str
    words: list[_Word] | None = None
    speaker: str | None = None


class _Provenance(msgspec.Struct):
    source: str | None = None
    recorded_at: str | None = None
    warnings: list[str] | None = None


class _Document(msgspec.Struct):
    segments: list[_Segment]
    language: str | None = None
    duration: float | None = None
    provenance: _Provenance | None = None
    check: list[msgspec.Raw] | None = None


_DECODER = msgspec.json.Decoder(_Document)


@dataclass(frozen=True, slots=True)
class _Said:
    """A segment's text, and (place in it, seconds) where each of its sentences begins."""

    start: float
    end: float
    speaker: str
    text: str
    starts: Sequence[tuple[int, float]]


def read(content: bytes, stem: str, state: tuple[int, int]) -> tuple[Entry, Sequence[Passage]]:
    """From the content of NAME.json; `state` is its modification time (ns) and size.

    Raises ValueError (msgspec's errors are such) if it is no transcript.
    """
    document = _DECODER.decode(content)
    language = cleaned(document.language or "")
    said = list(_said(document.segments, language))
    passages = [_passage(group) for group in _grouped(said)]
    about = document.provenance or _Provenance()
    text = passages[0].text if passages else ""
    mtime_ns, size = state
    entry = Entry(
        stem=stem,
        mtime_ns=mtime_ns,
        size=size,
        source=cleaned(about.source or stem),
        recorded_at=cleaned(about.recorded_at or ""),
        language=language,
        duration=max(0.0, document.duration or max((one.end for one in said), default=0.0)),
        words=sum(len(searchable(one.text).replace(SEAM, " ").split()) for one in said),
        speakers=len({one.speaker for one in said} - {""}),
        notes=len(about.warnings or ()) + len(document.check or ()),
        opening=text if len(text) <= _OPENING else text[:_OPENING].rsplit(" ", 1)[0] + " …",
    )
    return entry, passages


def _said(segments: Iterable[_Segment], language: str) -> Iterator[_Said]:
    """In order, with times that never go back; what holds no text is left out."""
    floor = 0.0
    for one in segments:
        start = max(one.start, floor)
        end = max(one.end, start)
        floor = start
        if text := _plain(one.text):
            begins = [0, *_sentence_starts(text, language)]
            starts = zip(begins, _times(one, text, start, end, begins), strict=True)
            yield _Said(start, end, cleaned(one.speaker or ""), text, list(starts))


def _plain(text: str) -> str:
    return " ".join((text if text.isprintable() else cleaned(text)).split())


def _sentence_starts(text: str, language: str) -> Iterator[int]:
    """Where sentences begin in the text of a segment, its beginning left out."""
    if is_unspaced(text):
        yield from (found.end() for found in _UNSPACED_END.finditer(text))
        return
    for found in _END.finditer(text):  # a word that may end a sentence, and the next one's letter
        if ends_sentence(found[1], found[2], language):
            yield found.start(2)


def _times(
    one: _Segment, text: str, start: float, end: float, begins: Sequence[int]
) -> Iterator[float]:
    """When the characters at these places are said, in seconds."""
    if len(begins) == 1:
        heard = one.words[0].start if one.words else None
        yield round(max(heard or start, start), 2)
        return
    words = [
        Word(word.word, word.start, word.end, 0.0, WordSource.ALIGNED)
        for word in one.words or ()
        if word.start is not None and word.end is not None
    ]
    clock = CharacterTimes(Segment(0, start, end, text, 0.0, 0.0, tuple(words)))
    for place in begins:
        first = len(text[:place].replace(" ", ""))  # spaces do not count
        yield round(clock.span(first, first + 1)[0], 2)


def _grouped(said: Iterable[_Said]) -> Iterator[list[_Said]]:
    """Until the speaker changes, a pause comes, or it is long enough."""
    held: list[_Said] = []
    length = 0
    for one in said:
        if held and (
            one.speaker != held[-1].speaker or one.start - held[-1].end >= _PAUSE or length >= _LONG
        ):
            yield held
            held, length = [], 0
        held.append(one)
        length += len(one.text)
    if held:
        yield held


def _passage(group: Iterable[_Said]) -> Passage:
    text, starts = "", []
    for one in group:
        at = len(text) + 1 if text else 0
        text = f"{text} {one.text}" if text else one.text
        starts += [(at + place, start) for place, start in one.starts]
    return Passage(text, starts)
