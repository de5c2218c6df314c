"""Cues that can be read: segments cut into at most two lines of 42 characters, timed by the word.

42 × 2 is the rule of the large subtitle guidelines (Netflix Timed Text Style Guide, Amara).
"""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from daemon.domain.transcript import Segment

LINE_CHARACTERS = 42
LINES = 2
PAUSE_SECONDS = 1.0  # a silence this long inside a segment starts a new cue
MAX_SECONDS = 7.0
MIN_SECONDS = 0.8  # shorter cues are held until the next one begins


@dataclass(frozen=True, slots=True)
class Cue:
    """What is on the screen from `start` to `end` (seconds)."""

    start: float
    end: float
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Token:
    text: str
    start: float
    end: float


def cues(segments: Iterable[Segment]) -> list[Cue]:
    """All cues in order; none overlaps the next."""
    found = [cue for segment in segments for cue in _cut(_tokens(segment))]
    following = [*(cue.start for cue in found[1:]), math.inf]
    return [_hold(cue, start) for cue, start in zip(found, following, strict=False)]


def _tokens(segment: Segment) -> list[_Token]:
    """The segment's words with times: their own, or a share of the segment's by their length."""
    texts = segment.text.split()
    if [word.word for word in segment.words] == texts:
        tokens = [_Token(word.word, word.start, word.end) for word in segment.words]
    else:
        tokens = _spread(texts, segment.start, segment.end)
    return [piece for token in tokens for piece in _pieces(token)]


def _spread(texts: Sequence[str], start: float, end: float) -> list[_Token]:
    total = sum(map(len, texts))
    tokens: list[_Token] = []
    at = 0
    for text in texts:
        token_start = start + (end - start) * at / total
        at += len(text)
        tokens.append(_Token(text, token_start, start + (end - start) * at / total))
    return tokens


def _pieces(token: _Token) -> list[_Token]:
    """A token that is wider than a line (scripts without spaces, web addresses), in line widths."""
    if len(token.text) <= LINE_CHARACTERS:
        return [token]
    texts = [
        token.text[at : at + LINE_CHARACTERS] for at in range(0, len(token.text), LINE_CHARACTERS)
    ]
    return _spread(texts, token.start, token.end)


def _cut(tokens: Sequence[_Token]) -> Iterator[Cue]:
    held: list[_Token] = []
    for token in tokens:
        if held and not _fits(held, token):
            yield _cue(held)
            held = []
        held.append(token)
    if held:
        yield _cue(held)


def _fits(held: Sequence[_Token], token: _Token) -> bool:
    return (
        token.start - held[-1].end < PAUSE_SECONDS
        and token.end - held[0].start <= MAX_SECONDS
        and len(_wrap([*held, token], LINE_CHARACTERS)) <= LINES
    )


def _cue(tokens: Sequence[_Token]) -> Cue:
    """The narrowest wrapping with as many lines as needed: lines of like length read best."""
    lines = _wrap(tokens, LINE_CHARACTERS)
    for width in range(LINE_CHARACTERS - 1, 0, -1):
        narrower = _wrap(tokens, width)
        if len(narrower) > len(lines) or any(len(line) > width for line in narrower):
            break
        lines = narrower
    return Cue(tokens[0].start, tokens[-1].end, tuple(lines))


def _wrap(tokens: Sequence[_Token], width: int) -> list[str]:
    text = " ".join(token.text for token in tokens)
    return textwrap.wrap(text, width, break_on_hyphens=False, break_long_words=False)


def _hold(cue: Cue, following: float) -> Cue:
    end = min(max(cue.end, cue.start + MIN_SECONDS), max(following, cue.start))
    return replace(cue, start=round(cue.start, 3), end=round(max(end, cue.start), 3))
