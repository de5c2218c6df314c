"""The most probable way to say given characters in given frames: WhisperX's Viterbi search.

In each frame the path either stays with its character (and pays for the blank) or steps to the
next one (and pays for that character); it starts anywhere and ends where the last character scores
best. The recurrence, its single precision and its ties are those of WhisperX's `get_trellis` and
`backtrack` (after torchaudio's forced-alignment tutorial), so the paths are the same, frame for
frame. Here all segments of a batch advance together, one frame a step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.audio import FloatArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Spelling:
    """One segment's problem: its emission, shape (frames, classes), log-probabilities, and the
    class of each of its characters in order, shape (characters,), at least one."""

    emission: FloatArray
    tokens: IntArray


@dataclass(frozen=True, slots=True)
class Path:
    """Where each character begins: shape (characters,), in frames; it lasts until the next begins.

    `end` is the frame after the last one; `scores` are the mean probabilities of the characters.
    """

    starts: IntArray
    end: int
    scores: NDArray[np.float64]


def best_paths(spellings: Sequence[Spelling], blank: int) -> list[Path | None]:
    """The best path for each; None where there are more characters than frames."""
    if not spellings:
        return []
    steps, finish = _search(spellings, blank)
    return [
        _backtrack(spelling, steps[:, row, : len(spelling.tokens)], finish[:, row], blank)
        for row, spelling in enumerate(spellings)
    ]


def _search(spellings: Sequence[Spelling], blank: int) -> tuple[NDArray[np.bool_], FloatArray]:
    """Fill the trellis.

    Returns for each frame, segment and character whether the best path to it stepped, and the
    score of each segment's last character after each number of frames.
    """
    frames = max(len(spelling.emission) for spelling in spellings)
    width = max(len(spelling.tokens) for spelling in spellings)
    scores = np.full((frames + 1, len(spellings), width + 1), -np.inf, np.float32)
    stay, step, scores[1:, :, 0] = _transitions(spellings, blank, frames, width)
    scores[0, :, 0] = 0
    stepped = np.empty(step.shape, np.bool_)
    before, here, after = scores[:-1, :, :-1], scores[:-1, :, 1:], scores[1:, :, 1:]
    for stepping, staying, choice, previous, same, best in zip(
        step, stay, stepped, before, here, after, strict=True
    ):
        np.add(previous, stepping, out=stepping)
        stayed = same + staying
        np.greater(stepping, stayed, out=choice)
        np.maximum(stepping, stayed, out=best)
    last = [len(spelling.tokens) for spelling in spellings]
    return stepped, scores[:, np.arange(len(spellings)), last]


def _transitions(
    spellings: Sequence[Spelling], blank: int, frames: int, width: int
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Scores by frame and segment: of staying, of stepping to each character, of silence so far."""
    stay = np.zeros((frames, len(spellings), 1), np.float32)
    step = np.zeros((frames, len(spellings), width), np.float32)
    for row, spelling in enumerate(spellings):
        count, characters = len(spelling.emission), len(spelling.tokens)
        stay[:count, row, 0] = spelling.emission[:, blank]
        step[:count, row, :characters] = spelling.emission[:, spelling.tokens]
    silence = np.cumsum(stay[:, :, 0], axis=0, dtype=np.float64).astype(np.float32)
    return stay, step, silence


def _backtrack(
    spelling: Spelling, stepped: NDArray[np.bool_], finish: FloatArray, blank: int
) -> Path | None:
    end = int(finish[: len(spelling.emission) + 1].argmax())
    moves, width = stepped[:end].tobytes(), stepped.shape[1]
    starts = [0] * width
    character = width - 1
    for frame in range(end - 1, -1, -1):
        if moves[frame * width + character]:
            starts[character] = frame
            character -= 1
            if character < 0:
                return _path(spelling, np.array(starts), end, blank)
    return None


def _path(spelling: Spelling, starts: IntArray, end: int, blank: int) -> Path:
    first = starts[0]
    log_probs = spelling.emission[first:end, blank].copy()
    log_probs[starts - first] = spelling.emission[starts, spelling.tokens]
    lengths = np.diff(starts, append=end)
    sums = np.add.reduceat(np.exp(log_probs).astype(np.float64), starts - first)
    return Path(starts, end, sums / lengths)
