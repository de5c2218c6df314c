"""Which pieces are the same voice: agglomerative clustering of their embeddings.

Two steps, block by block, so that memory does not grow with the square of a recording's length:
average linkage over cosine distance makes small pure groups of a block's pieces; then the two most
alike groups are merged until no two are alike enough, together with those of earlier blocks.

How alike two groups are is their average cosine, divided by how alike each group is within itself
(a noisy room lowers all cosines), and corrected by what the segmentation network heard in the
windows that hold both: the same voice, or different ones.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.linalg import block_diag

from daemon.audio import FloatArray

_BLOCK = 1200  # pieces: forty minutes of speech, 6 MB of distances
_SPLIT = 4  # groups a speaker where more speakers are asked for than there seem to be
_PASSES = 2  # times that pieces move to the nearest voice

BoolArray = NDArray[np.bool_]
Labels = NDArray[np.int64]
Matrix = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Count:
    """How many speakers there may be."""

    least: int = 1
    most: int = 20


@dataclass(frozen=True, slots=True)
class Tuning:
    """Chosen on one part of the evaluation's voices and reported on the other."""

    group: float = 0.45  # cosine distance within which pieces of a block are one voice
    alike: float = 0.55  # corrected similarity from which two groups are one voice
    heard: float = 0.1  # how much the segmentation network may add or take
    doubt: float = 4.0  # s²: evidence of that network that counts half
    within: float = 0.55  # similarity within a group that is too small to measure it,
    weight: float = 3.0  # as much as that of so many pairs
    most_within: float = 0.7  # more than a voice has in free speech: a jingle, the same words again
    share: float = 0.02  # a speaker says at least this share of what is said,
    seconds: float = 2.0  # and for at least so long


@dataclass(frozen=True, slots=True)
class Pieces:
    """What is known of each piece.

    `embeddings`: unit vectors, shape (pieces, 192); `seconds`: lengths; `heard`: the local voice
    of each (3 × window + voice).
    """

    embeddings: FloatArray
    seconds: FloatArray
    heard: Labels

    def part(self, start: int, end: int) -> Pieces:
        return Pieces(self.embeddings[start:end], self.seconds[start:end], self.heard[start:end])


class _Groups:
    """Groups of pieces: sums of embeddings, counts, seconds, and the network's evidence (s²)."""

    def __init__(self) -> None:
        self.sums: Matrix = np.zeros((0, 0))
        self.counts: Matrix = np.zeros(0)
        self.seconds: Matrix = np.zeros(0)
        self.same: Matrix = np.zeros((0, 0))
        self.different: Matrix = np.zeros((0, 0))

    def add(self, pieces: Pieces, labels: Labels) -> None:
        """Append the groups of one block; `labels` number them from 0."""
        member = np.eye(int(labels.max()) + 1)[labels].T
        sums = member @ pieces.embeddings
        self.sums = np.concatenate([self.sums, sums]) if len(self.sums) else sums
        self.counts = np.concatenate([self.counts, member.sum(axis=1)])
        self.seconds = np.concatenate([self.seconds, member @ pieces.seconds])
        same, different = _evidence(pieces, member)
        self.same = block_diag(self.same, same) if len(self.same) else same
        self.different = block_diag(self.different, different) if len(self.different) else different

    def similarity(self, tuning: Tuning) -> Matrix:
        """How alike each two groups are, shape (groups, groups); the diagonal is -inf."""
        dots = self.sums @ self.sums.T
        pairs = self.counts * (self.counts - 1) / 2
        within = (np.diag(dots) - self.counts) / 2 + tuning.weight * tuning.within
        mean = np.clip(within / (pairs + tuning.weight), 0.2, tuning.most_within)
        scale = self.counts * np.sqrt(mean)
        alike = dots / np.outer(scale, scale)
        evidence = self.same + self.different + tuning.doubt
        alike += tuning.heard * (self.same - self.different) / evidence
        np.fill_diagonal(alike, -np.inf)
        return np.asarray(alike, np.float64)

    def merge(self, kept: int, gone: int) -> None:
        for values in (self.sums, self.counts, self.seconds, self.same, self.different):
            values[kept] += values[gone]
        for values in (self.same, self.different):
            values[:, kept] += values[:, gone]
        left = np.arange(len(self.counts)) != gone
        self.sums, self.counts, self.seconds = (
            values[left] for values in (self.sums, self.counts, self.seconds)
        )
        self.same, self.different = (
            values[np.ix_(left, left)] for values in (self.same, self.different)
        )

    def large(self, tuning: Tuning) -> BoolArray:
        """Which groups speak for long enough to be a speaker."""
        needed = max(tuning.seconds, tuning.share * float(self.seconds.sum()))
        return np.asarray(self.seconds >= needed)


def cluster(pieces: Pieces, count: Count, tuning: Tuning) -> tuple[Labels, FloatArray]:
    """The voice of each piece, numbered by first appearance, and the voices' unit vectors.

    Shapes (pieces,) and (voices, 192).
    """
    if len(pieces.seconds) == 0:
        return np.zeros(0, np.int64), np.zeros((0, pieces.embeddings.shape[1]), np.float32)
    groups = _Groups()
    for start in range(0, len(pieces.seconds), _BLOCK):
        block = pieces.part(start, start + _BLOCK)
        groups.add(block, _linked(block.embeddings, tuning.group, count.least))
        _merge(groups, Count(count.least, sys.maxsize), tuning)
    _merge(groups, count, tuning)
    speakers = int(np.clip(groups.large(tuning).sum(), count.least, count.most))
    longest = np.argsort(-groups.seconds, kind="stable")[: max(1, speakers)]
    labels = _nearest(pieces, _unit(groups.sums[longest]))
    for _ in range(_PASSES):
        labels = _nearest(pieces, _centres(pieces, labels))
    return labels, _centres(pieces, labels)


def _linked(embeddings: FloatArray, distance: float, least: int) -> Labels:
    """Groups by average linkage, numbered from 0; several for each of `least` speakers."""
    if len(embeddings) == 1:
        return np.zeros(1, np.int64)
    tree = linkage(embeddings, "average", metric="cosine")
    labels = fcluster(tree, distance, "distance")
    if labels.max() < least:
        labels = fcluster(tree, _SPLIT * least, "maxclust")
    return np.asarray(labels - 1, np.int64)


def _evidence(pieces: Pieces, member: Matrix) -> tuple[Matrix, Matrix]:
    """How much the network heard each two groups as the same voice, and as different ones.

    Both in s², shape (groups, groups): products of the seconds in a window, over all windows.
    """
    first = 3 * (int(pieces.heard.min()) // 3)
    heard = np.zeros((len(pieces.seconds), int(pieces.heard.max()) // 3 * 3 + 3 - first))
    heard[np.arange(len(heard)), pieces.heard - first] = pieces.seconds
    by_voice = member @ heard
    by_window = by_voice.reshape(len(member), -1, 3).sum(axis=2)
    same = by_voice @ by_voice.T
    return same, by_window @ by_window.T - same


def _merge(groups: _Groups, count: Count, tuning: Tuning) -> None:
    """Merge the most alike groups while they are alike enough, or the speakers too many."""
    while len(groups.counts) > 1:
        alike, large = groups.similarity(tuning), groups.large(tuning)
        if large.sum() <= count.least:  # two speakers must not become one, if so many are there
            alike[np.outer(large, large)] = -np.inf
        kept, gone = sorted(np.unravel_index(int(alike.argmax()), alike.shape))
        best = alike[kept, gone]
        if best < tuning.alike and (large.sum() <= count.most or best == -np.inf):
            return
        groups.merge(int(kept), int(gone))


def _unit(vectors: Matrix) -> FloatArray:
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-9), np.float32)


def _centres(pieces: Pieces, labels: Labels) -> FloatArray:
    sums = np.zeros((int(labels.max()) + 1, pieces.embeddings.shape[1]))
    np.add.at(sums, labels, pieces.embeddings * pieces.seconds[:, None])
    return _unit(sums)


def _nearest(pieces: Pieces, centres: FloatArray) -> Labels:
    """The nearest centre of each piece, numbered by first appearance; without empty ones."""
    nearest = (pieces.embeddings @ centres.T).argmax(axis=1)
    _, first, labels = np.unique(nearest, return_index=True, return_inverse=True)
    return np.asarray(np.argsort(np.argsort(first))[labels], np.int64)
