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
    """The utterances of a chunk, and up to which second of it the model has listened.

    `unfinished`: the last utterance has no end of its own; it was given that of the chunk.
    """

    utterances: tuple[Utterance, ...]
    heard: float
    unfinished: bool = False


def read_utterances(tokens: Sequence[int], timestamp_begin: int, duration: float) -> Reading:
    """Cut a chunk's `tokens` where two timestamps meet.

    The model has listened until the last timestamp that follows a text, or, where text is last,
    until the chunk's end.
    """
    stamped = [token >= timestamp_begin for token in tokens]
    cuts = [index + 1 for index, both in enumerate(pairwise(stamped)) if all(both)]
    pieces = [tuple(tokens[a:b]) for a, b in pairwise([0, *cuts, len(tokens)])]
    utterances = tuple(
        _utterance(piece, timestamp_begin, duration)
        for piece in pieces
        if any(token < timestamp_begin for token in piece)
    )
    unfinished = bool(stamped) and not stamped[-1]
    if unfinished or not utterances:
        return Reading(utterances, duration, unfinished)
    return Reading(utterances, min(utterances[-1].end, duration))


def _utterance(piece: tuple[int, ...], timestamp_begin: int, duration: float) -> Utterance:
    stamps = [_seconds(token, timestamp_begin) for token in piece if token >= timestamp_begin]
    starts_stamped = piece[0] >= timestamp_begin
    start = stamps[0] if starts_stamped else 0.0
    end = stamps[-1] if len(stamps) > starts_stamped else duration
    text = tuple(token for token in piece if token < timestamp_begin)
    return Utterance(start, max(end, start), text)


def _seconds(token: int, timestamp_begin: int) -> float:
    return (token - timestamp_begin) * TOKEN_SECONDS
