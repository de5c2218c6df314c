"""Whisper's own word times: where the decoder's cross-attention lay while it wrote each token.

The method of openai/whisper (timing.py): normalised attention weights, smoothed along time, and
the cheapest monotonic path through them by dynamic time warping. Pure numpy.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from daemon.asr.chunks import WINDOW
from daemon.asr.recognizer import Listener, Piece
from daemon.asr.word_starts import delay_starts
from daemon.audio import SAMPLE_RATE, FloatArray, Waveform
from daemon.domain.transcript import Segment, Word, WordSource

IntArray = NDArray[np.int64]

_SMOOTHED = 7  # frames of 20 ms that the median filter spans
_LEAST_DEVIATION = 1e-8
_DIAGONAL, _NEXT_TOKEN, _NEXT_FRAME = 0, 1, 2  # the last step of a path
_UNSPACED = frozenset({"ja", "lo", "my", "th", "yue", "zh"})  # as in Whisper's tokenizer


def add_words(
    audio: Waveform, language: str, segments: Sequence[Segment], listener: Listener
) -> Iterator[Segment]:
    """The segments, each with its words as soon as they are known.

    One that is too long to be listened to at once, or whose text the tokens spell otherwise, stays
    without words.
    """
    for group in _groups(segments, listener):
        yield from _listen(audio, language, group, listener)


def _groups(segments: Sequence[Segment], listener: Listener) -> Iterator[list[Segment]]:
    """Neighbours that fit one window and one reading."""
    group: list[Segment] = []
    tokens = 0
    for segment in segments:
        more = len(listener.tokens(f" {segment.text}"))
        if group and (segment.end - group[0].start > WINDOW or tokens + more > listener.room):
            yield group
            group, tokens = [], 0
        group.append(segment)
        tokens += more
    if group:
        yield group


def _listen(
    audio: Waveform, language: str, group: list[Segment], listener: Listener
) -> Iterator[Segment]:
    start = group[0].start
    samples = audio[round(start * SAMPLE_RATE) : round(group[-1].end * SAMPLE_RATE)]
    tokens = listener.tokens("".join(f" {segment.text}" for segment in group))
    fits = 0 < len(tokens) <= listener.room and 0 < len(samples) <= WINDOW * SAMPLE_RATE
    pieces = listener.pieces(samples, language, tokens) if fits else ()
    letters = _letters(pieces, start)
    timed: list[Segment] = []
    for segment in group:
        words = _split(segment.text, language not in _UNSPACED)
        placed = (_word(word, list(islice(letters, len(word))), segment) for word in words)
        timed.append(replace(segment, words=tuple(word for word in placed if word is not None)))
    yield from delay_starts(samples, start, timed)


def _letters(pieces: Sequence[Piece], offset: float) -> Iterator[Piece]:
    """The visible characters of `pieces`, each with its share of the time."""
    for piece in pieces:
        letters = "".join(piece.text.split())
        edges = np.linspace(piece.start + offset, piece.end + offset, len(letters) + 1).tolist()
        for at, letter in enumerate(letters):
            yield Piece(letter, edges[at], edges[at + 1], piece.probability)


def _split(text: str, spaced: bool) -> list[str]:
    """Words; in a language that writes no spaces characters, with the marks that they carry."""
    if spaced:
        return text.split()
    words: list[str] = []
    for character in "".join(text.split()):
        if words and unicodedata.category(character).startswith("M"):
            words[-1] += character
        else:
            words.append(character)
    return words


def _word(word: str, letters: Sequence[Piece], segment: Segment) -> Word | None:
    """The word from its characters; punctuation has no say in when it was said."""
    if "".join(letter.text for letter in letters) != word:
        return None
    said = [
        letter for letter in letters if unicodedata.category(letter.text)[0] not in "PS"
    ] or letters
    start = min(max(said[0].start, segment.start), segment.end)
    end = min(max(said[-1].end, start), segment.end)
    score = fmean(letter.probability for letter in said)
    return Word(word, round(start, 3), round(end, 3), round(score, 3), WordSource.ASR)


def token_starts(weights: FloatArray, text: slice) -> IntArray:
    """The frame at which each token of `text` begins, counted from its first.

    `weights` is the attention of several heads, (heads, tokens, frames), and sums to 1 over frames.
    """
    sharpened = [median_filter(_stand_out(head)[text]) for head in weights]
    return warp(-np.mean(sharpened, axis=0))


def _stand_out(head: FloatArray) -> FloatArray:
    """By how many standard deviations each token attends to a frame more than tokens on average."""
    deviation = np.maximum(head.std(axis=0), _LEAST_DEVIATION)
    normal: FloatArray = (head - head.mean(axis=0)) / deviation
    return normal


def median_filter(rows: FloatArray, width: int = _SMOOTHED) -> FloatArray:
    """Each value's median with its neighbours along the last axis, which is mirrored at its ends.

    An axis of less than half of the (odd) `width` stays as it is.
    """
    half = width // 2
    if rows.shape[-1] <= half:
        return rows
    padded = np.pad(rows, [(0, 0)] * (rows.ndim - 1) + [(half, half)], mode="reflect")
    windows = np.lib.stride_tricks.sliding_window_view(padded, width, axis=-1)
    filtered: FloatArray = np.partition(windows, half, axis=-1)[..., half]
    return filtered


def warp(costs: FloatArray) -> IntArray:
    """Dynamic time warping: the column in which the cheapest path enters each row of `costs`.

    The path leads from the first to the last cell by steps down, right, or both. Cells of one
    anti-diagonal depend on the two before it only, so each of them is one array operation.
    """
    rows, columns = costs.shape
    steps = np.zeros((rows + columns - 1, rows), np.int8)
    before = np.full(rows + 1, np.inf)  # totals two anti-diagonals ago, by row + 1
    last = before.copy()
    for diagonal in range(rows + columns - 1):
        row = np.arange(max(0, diagonal - columns + 1), min(rows, diagonal + 1))
        origins = np.stack([before[row], last[row], last[row + 1]])
        if diagonal == 0:
            origins[:] = 0.0
        step = _cheapest(origins)
        steps[diagonal, row] = step
        totals = np.full(rows + 1, np.inf)
        totals[row + 1] = costs[row, diagonal - row] + np.take_along_axis(origins, step[None], 0)[0]
        before, last = last, totals
    return _trace_back(steps, rows, columns)


def _cheapest(origins: NDArray[np.float64]) -> IntArray:
    """Which of the three steps is cheapest; where two are equal, the next frame."""
    diagonal, token, frame = origins
    step = np.where(token < np.minimum(diagonal, frame), _NEXT_TOKEN, _NEXT_FRAME)
    return np.where(diagonal < np.minimum(token, frame), _DIAGONAL, step)


def _trace_back(steps: NDArray[np.int8], rows: int, columns: int) -> IntArray:
    entered = np.zeros(rows, np.int64)
    row, column = rows - 1, columns - 1
    while row > 0:
        step = steps[row + column, row]
        if step == _NEXT_FRAME:
            column -= 1
            continue
        entered[row] = column
        row -= 1
        column -= step == _DIAGONAL
    return entered
