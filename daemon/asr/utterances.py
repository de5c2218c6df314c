"""Tokens with timestamps → utterances: the cutting rule of openai/whisper's `transcribe`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

TOKEN_SECONDS = 0.02  # one timestamp token further is 20 ms later


@dataclass(frozen=True, slots=True)
class Utterance:
    """What lies between two timestamps; seconds from the start of the chunk."""

    start: float
    end: float
    tokens: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Reading:
    """The utterances of a chunk, and up to which second of it the model has listened."""

    utterances: tuple[Utterance, ...]
    heard: float


def read_utterances(tokens: Sequence[int], timestamp_begin: int, duration: float) -> Reading:
    """Cut a chunk's `tokens` where two timestamps meet.

    A text after the last such pair is unfinished: it is left out, to be decoded again from there.
    Without any pair everything is one utterance.
    """
    stamped = [token >= timestamp_begin for token in tokens]
    cuts = [index + 1 for index, both in enumerate(pairwise(stamped)) if all(both)]
    if not cuts:
        return Reading(_only_one(tokens, timestamp_begin, duration), duration)
    if stamped[-2:] == [False, True]:
        cuts.append(len(tokens))
    pieces = [tuple(tokens[a:b]) for a, b in pairwise([0, *cuts])]
    utterances = tuple(_utterance(piece, timestamp_begin, duration) for piece in pieces)
    return Reading(utterances, _seconds(tokens[cuts[-1] - 1], timestamp_begin))


def _only_one(
    tokens: Sequence[int], timestamp_begin: int, duration: float
) -> tuple[Utterance, ...]:
    if not tokens:
        return ()
    return (_utterance(tuple(tokens), timestamp_begin, duration),)


def _utterance(piece: tuple[int, ...], timestamp_begin: int, duration: float) -> Utterance:
    stamps = [_seconds(token, timestamp_begin) for token in piece if token >= timestamp_begin]
    starts_stamped = piece[0] >= timestamp_begin
    start = stamps[0] if starts_stamped else 0.0
    end = stamps[-1] if len(stamps) > starts_stamped else duration
    text = tuple(token for token in piece if token < timestamp_begin)
    return Utterance(start, max(end, start), text)


def _seconds(token: int, timestamp_begin: int) -> float:
    return (token - timestamp_begin) * TOKEN_SECONDS
