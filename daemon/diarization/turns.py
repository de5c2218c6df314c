"""Who speaks from when to when, two at a time where they overlap."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from daemon.audio import FloatArray
from daemon.diarization.clustering import Labels, Pieces
from daemon.diarization.networks import FRAME_SECONDS, FRAMES, LOCAL, SIZE
from daemon.diarization.windows import (
    BoolArray,
    Heard,
    Stretch,
    alone_in,
    runs,
)
from daemon.domain.speakers import Turn

_GAP = 0.3  # seconds of silence within a turn
_BLIP = 0.15  # seconds below which a turn is none
_CHANGE = 0.1  # cosine that a change of speakers within a stretch must gain
_NOWHERE = 10**9  # frames


def pieces(heard: Heard) -> Pieces:
    """The even samples of all stretches, for clustering."""
    embeddings, seconds, voices = [np.zeros((0, SIZE), np.float32)], [], []
    for stretch in heard.stretches:
        found = stretch.embeddings[list(stretch.even)]
        embeddings.append(found)
        seconds += [(stretch.end - stretch.start) / len(found)] * len(found)
        voices += [LOCAL * stretch.window + stretch.voice] * len(found)
    return Pieces(
        np.concatenate(embeddings), np.array(seconds, np.float32), np.array(voices, np.int64)
    )


def turns(heard: Heard, centres: FloatArray, seconds: float) -> list[Turn]:
    """All turns by start, within a recording of `seconds`.

    `centres` are the speakers' unit vectors, shape (speakers, 192).
    """
    speakers = len(centres)
    known = _known(heard, centres)
    grid = np.zeros((len(known), speakers), np.bool_)
    for number, active in enumerate(heard.active):
        start = number * FRAMES
        window = known[start : start + FRAMES]
        votes = _votes(active, window, speakers)
        around = _around(known, start, speakers)
        grid[start : start + FRAMES] = _speaking(active, window, votes, around)
    grid = grid[: int(seconds / FRAME_SECONDS)]
    found = [turn for speaker in range(speakers) for turn in _of(grid[:, speaker], speaker)]
    return sorted(found, key=lambda turn: (turn.start, turn.end))


def _known(heard: Heard, centres: FloatArray) -> Labels:
    """The speaker of each frame that lies in a stretch, else -1."""
    frames = np.full(len(heard.active) * FRAMES, -1, np.int64)
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


def _around(known: Labels, start: int, speakers: int) -> Labels:
    """How many frames it is to where a speaker is known to speak, shape (589, speakers).

    Looked for in a window that begins at frame `start` and as far before and after it.
    """
    first = max(0, start - FRAMES)
    near = known[first : start + 2 * FRAMES]
    frames = np.arange(start, start + FRAMES)
    distance = np.full((FRAMES, speakers), _NOWHERE)
    for speaker in np.unique(near[near >= 0]):
        places = first + np.flatnonzero(near == speaker)
        after = np.searchsorted(places, frames)
        distance[:, speaker] = np.minimum(
            np.abs(places[np.minimum(after, len(places) - 1)] - frames),
            np.abs(places[np.maximum(after - 1, 0)] - frames),
        )
    return distance


def _speaking(active: BoolArray, known: Labels, votes: Labels, around: Labels) -> BoolArray:
    """Who speaks in each frame, shape (frames, speakers).

    Where a stretch does not know it, the votes do. A voice without votes is never heard alone: it
    is of another speaker than those beside it, the one who is nearest in time.
    """
    speaking = np.zeros((len(active), votes.shape[1]), np.bool_)
    sure = (known >= 0) & (active.sum(axis=1) == 1)
    speaking[sure, known[sure]] = True
    for pattern in np.unique(active[~sure], axis=0):
        frames = ~sure & (active == pattern).all(axis=1)
        chosen = list(_chosen(np.flatnonzero(pattern).tolist(), votes))
        speaking[np.ix_(frames, chosen)] = True
        if chosen and len(chosen) < pattern.sum():
            for first, end in runs(frames):
                distance = around[first:end].min(axis=0)
                distance[chosen] = _NOWHERE
                if distance.min() < _NOWHERE:
                    speaking[first:end, int(distance.argmin())] = True
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
