"""The smallest pieces that a subtitle or a paragraph is made of, each with its times."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from daemon.domain.transcript import Segment, Word, WordSource
from daemon.rendering.text import columns, ends_clause, ends_sentence, graphemes, phrases

SENTENCE, CLAUSE, NOTHING = "sentence", "clause", ""
_NEAR = 60  # characters within which a word is looked for: further on it would be another one


@dataclass(frozen=True, slots=True)
class Unit:
    """A word, or a phrase of an unspaced script. `ends` is what ends with it: see above.

    `start` and `end` are in seconds; `space` says whether a space stands before it; `turn` counts
    the changes of speaker before it. `score` is the lowest of its words' (0 to 1), None where
    nobody heard it: its times are placed between its neighbours'.
    """

    text: str
    space: bool
    start: float
    end: float
    columns: int
    ends: str = NOTHING
    turn: int = 0
    score: float | None = None


@dataclass(frozen=True, slots=True)
class _Piece:
    text: str
    space: bool
    start: float
    end: float
    turn: int
    score: float | None


def units(segments: Sequence[Segment], language: str, widest: int) -> list[Unit]:
    """The transcript as a row of units, none wider than `widest` columns.

    Times come from the words, wherever the words' text is found in the segment's; what is not
    found is placed between its neighbours by its length.
    """
    pieces = [piece for piece in _pieces(segments, language) for piece in _fitted(piece, widest)]
    following = [*(piece.text for piece in pieces[1:]), ""]
    return [
        Unit(
            text=piece.text,
            space=piece.space,
            start=piece.start,
            end=piece.end,
            columns=columns(piece.text),
            ends=_end(piece.text, next_text, language),
            turn=piece.turn,
            score=piece.score,
        )
        for piece, next_text in zip(pieces, following, strict=False)
    ]


def joined(row: Sequence[Unit]) -> str:
    """The units' text as it is written."""
    text = "".join((" " if unit.space else "") + unit.text for unit in row)
    return text.removeprefix(" ")


def _end(text: str, following: str, language: str) -> str:
    if ends_sentence(text, following, language):
        return SENTENCE
    return CLAUSE if ends_clause(text) else NOTHING


def _pieces(segments: Sequence[Segment], language: str) -> Iterator[_Piece]:
    turn = 0
    speaker = segments[0].speaker if segments else None
    for segment in segments:
        if segment.speaker != speaker:
            turn, speaker = turn + 1, segment.speaker
        yield from _pieces_of(segment, segment.language or language, turn)


def _pieces_of(segment: Segment, language: str, turn: int) -> Iterator[_Piece]:
    clock = CharacterTimes(segment)
    at = 0
    for token in segment.text.split():
        space = True
        for text in phrases(token, language):
            start, end = clock.span(at, at + len(text))
            yield _Piece(text, space, start, end, turn, clock.score(at, at + len(text)))
            at += len(text)
            space = False


def _fitted(piece: _Piece, widest: int) -> Iterator[_Piece]:
    """A piece that is wider than a line (a web address), in lines; never inside a character."""
    if columns(piece.text) <= widest:
        yield piece
        return
    texts = [""]
    for cluster in graphemes(piece.text):
        if texts[-1] and columns(texts[-1] + cluster) > widest:
            texts.append("")
        texts[-1] += cluster
    at, length = 0, len(piece.text)
    seconds = piece.end - piece.start
    for text in texts:
        start = piece.start + seconds * at / length
        at += len(text)
        end = piece.start + seconds * at / length
        space = piece.space and text is texts[0]
        yield _Piece(text, space, start, end, piece.turn, piece.score)


class CharacterTimes:
    """When each character of a segment's text was said; spaces do not count.

    Each word that is found in the text, in order, fixes the times of its characters. The others
    lie between the nearest that are fixed (at the ends: the segment's own times).
    """

    def __init__(self, segment: Segment) -> None:
        text = "".join(segment.text.split())
        found = list(_found(text, segment.words))
        self._begins = [first for first, _, _ in found]
        self._found = found
        anchors = [pair for a, b, word in found for pair in ((a, word.start), (b, word.end))]
        known = [(0, segment.start), *anchors, (len(text), max(segment.end, segment.start))]
        self._positions = [position for position, _ in known]
        self._times = [time for _, time in known]

    def span(self, first: int, last: int) -> tuple[float, float]:
        """Start of the character number `first`, end of the one before `last` (seconds)."""
        start = self._at(bisect_right(self._positions, first) - 1, first)
        return start, max(start, self._at(bisect_left(self._positions, last), last))

    def score(self, first: int, last: int) -> float | None:
        """The lowest score among the heard words within these characters; None if none was."""
        at = max(0, bisect_right(self._begins, first) - 1)
        inside = [
            word.score
            for begins, ends, word in self._found[at : bisect_left(self._begins, last)]
            if ends > first and begins < last and word.source is not WordSource.INTERPOLATED
        ]
        return min(inside, default=None)

    def _at(self, index: int, position: int) -> float:
        """The time of the boundary before the character `position`, which lies at or beside
        the anchor `index`."""
        anchor, time = self._positions[index], self._times[index]
        if anchor == position:
            return time
        beside = index + 1 if anchor < position else index - 1
        share = (position - anchor) / (self._positions[beside] - anchor)
        return time + (self._times[beside] - time) * share


def _found(text: str, words: Sequence[Word]) -> Iterator[tuple[int, int, Word]]:
    """(first, last + 1, word): the characters of `text` that are each word's, where it is found."""
    at = 0
    for word in words:
        bare = "".join(word.word.split())
        first = text.find(bare, at, at + len(bare) + _NEAR) if bare else -1
        if first >= 0:
            at = first + len(bare)
            yield first, at, word
