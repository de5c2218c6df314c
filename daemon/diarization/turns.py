"""Who speaks from when to when, two at a time where they overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from daemon.audio import FloatArray
from daemon.diarization.clustering import Labels, Pieces
from daemon.diarization.networks import FRAME_SECONDS, FRAMES, LOCAL, SIZE
from daemon.diarization.windows import (
    HOP_SECONDS,
    BoolArray,
    Heard,
    Stretch,
    alone_in,
    middle,
    runs,
)
from daemon.domain.speakers import Turn

_GAP = 0.3  # seconds of silence within a turn
_BLIP = 0.15  # seconds below which a turn is none
_CHANGE = 0.1  # cosine that a change of speakers within a stretch must gain
_MAJORITY = 0.6  # share of a sample in which a window must hear the same voice


def pieces(heard: Heard) -> Pieces:
    """The samples of all stretches, for clustering, with what the two windows there heard."""
    stretches = heard.stretches
    seconds = [
        np.full(len(stretch.samples), (stretch.end - stretch.start) / len(stretch.samples))
        for stretch in stretches
    ]
    voices = [
        _voices(heard, stretch, sample) for stretch in stretches for sample in stretch.samples
    ]
    return Pieces(
        np.concatenate(
            [np.zeros((0, SIZE), np.float32), *(stretch.embeddings for stretch in stretches)]
        ),
        np.concatenate([np.zeros(0), *seconds]).astype(np.float32),
        np.array(voices, np.int64).reshape(-1, 2),
    )


def turns(heard: Heard, centres: FloatArray, seconds: float) -> list[Turn]:
    """All turns by start, within a recording of `seconds`.

    `centres` are the speakers' unit vectors, shape (speakers, 192).
    """
    speakers, total = len(centres), len(heard.active)
    known = _known(heard, centres)
    grid = np.zeros((len(known), speakers), np.bool_)
    for number, active in enumerate(heard.active):
        start = _first_frame(number)
        first, end = middle(number, total)
        votes = _votes(active, known[start : start + FRAMES], speakers)
        grid[start + first : start + end] |= _speaking(
            active[first:end], known[start + first : start + end], votes
        )
    grid = grid[: int(seconds / FRAME_SECONDS)]
    found = [turn for speaker in range(speakers) for turn in _of(grid[:, speaker], speaker)]
    return sorted(found, key=lambda turn: (turn.start, turn.end))


def _first_frame(window: int) -> int:
    """Windows begin 294.5 frames apart."""
    return round(window * FRAMES / 2)


def _voices(heard: Heard, stretch: Stretch, sample: tuple[float, float]) -> tuple[int, int]:
    """The local voice of a sample in its own window and in the other that covers it, or -1."""
    own = LOCAL * stretch.window + stretch.voice
    centre = (sample[0] + sample[1]) / 2 - stretch.window * HOP_SECONDS
    other = stretch.window + (-1 if centre < HOP_SECONDS else 1)
    if not 0 <= other < len(heard.active):
        return own, -1
    first, end = (max(0, int((at - other * HOP_SECONDS) / FRAME_SECONDS)) for at in sample)
    counted = alone_in(heard.active[other][first:end]).sum(axis=0)
    if counted.max(initial=0) <= _MAJORITY * (end - first):
        return own, -1
    return own, LOCAL * other + int(counted.argmax())


def _known(heard: Heard, centres: FloatArray) -> Labels:
    """The speaker of each frame that lies in a stretch, else -1."""
    frames = np.full(_first_frame(len(heard.active)) + FRAMES, -1, np.int64)
    for stretch in heard.stretches:
        for start, end, speaker in _parted(stretch, centres):
            frames[round(start / FRAME_SECONDS) : round(end / FRAME_SECONDS)] = speaker
    return frames


def _parted(stretch: Stretch, centres: FloatArray) -> Iterator[tuple[float, float, int]]:
    """(start, end, speaker) of a stretch's parts: the best path, with a price for each change."""
    path = _best_path(stretch.embeddings @ centres.T)
    start = stretch.start
    for index in range(1, len(path)):
        if path[index] != path[index - 1]:
            left, right = stretch.samples[index - 1], stretch.samples[index]
            change = (sum(left) + sum(right)) / 4
            yield start, change, path[index - 1]
            start = change
    yield start, stretch.end, path[-1]


def _best_path(scores: FloatArray) -> list[int]:
    """Viterbi's path through scores of shape (samples, speakers)."""
    reached = scores[0].astype(np.float64)
    origins = []
    for score in scores[1:]:
        best = int(reached.argmax())
        stays = reached >= reached[best] - _CHANGE
        origins.append(np.where(stays, np.arange(len(reached)), best))
        reached = np.where(stays, reached, reached[best] - _CHANGE) + score
    path = [int(reached.argmax())]
    for origin in reversed(origins):
        path.append(int(origin[path[-1]]))
    return path[::-1]


def _votes(active: BoolArray, known: Labels, speakers: int) -> Labels:
    """How many frames of each local voice belong to each speaker, shape (3, speakers)."""
    single = alone_in(active) & (known >= 0)[:, None]
    return np.stack(
        [np.bincount(known[single[:, voice]], minlength=speakers) for voice in range(LOCAL)]
    )


def _speaking(active: BoolArray, known: Labels, votes: Labels) -> BoolArray:
    """Who speaks in each frame, shape (frames, speakers): stretches know; elsewhere votes do."""
    speaking = np.zeros((len(active), votes.shape[1]), np.bool_)
    sure = (known >= 0) & (active.sum(axis=1) == 1)
    speaking[sure, known[sure]] = True
    for pattern in np.unique(active[~sure], axis=0):
        frames = ~sure & (active == pattern).all(axis=1)
        for speaker in _chosen(np.flatnonzero(pattern).tolist(), votes):
            speaking[frames, speaker] = True
    return speaking


def _chosen(voices: Sequence[int], votes: Labels) -> Iterator[int]:
    """A different speaker for each of these local voices; none for a voice without votes."""
    left = votes[list(voices)].copy()
    while left.size and left.max() > 0:
        voice, speaker = np.unravel_index(int(left.argmax()), left.shape)
        yield int(speaker)
        left[voice], left[:, speaker] = 0, 0


def _of(frames: BoolArray, speaker: int) -> Iterator[Turn]:
    """A speaker's turns: short silences are bridged, blips left out."""
    joined: list[list[int]] = []
    for first, end in runs(frames):
        if joined and (first - joined[-1][1]) * FRAME_SECONDS < _GAP:
            joined[-1][1] = end
        else:
            joined.append([first, end])
    for first, end in joined:
        if (end - first) * FRAME_SECONDS >= _BLIP:
            yield Turn(first * FRAME_SECONDS, end * FRAME_SECONDS, speaker)
