"""Voices that are vectors around known centres: what is alike belongs together, and how many."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.audio import FloatArray
from daemon.diarization import clustering
from daemon.diarization.clustering import Count, Labels, Pieces, Tuning, cluster

SIZE = 192


def _voices(speakers: Labels, noise: float, seed: int = 3) -> FloatArray:
    """A vector for each piece, near its speaker's."""
    random = np.random.default_rng(seed)
    centres = random.normal(size=(int(speakers.max()) + 1, SIZE)) / np.sqrt(SIZE)
    vectors = centres[speakers] + random.normal(size=(len(speakers), SIZE)) * noise / np.sqrt(SIZE)
    unit: FloatArray = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    return unit


def _pieces(speakers: Labels, noise: float = 0.6, heard: Labels | None = None) -> Pieces:
    none = 3 * np.arange(len(speakers))
    seconds = np.full(len(speakers), 1.5, np.float32)
    return Pieces(_voices(speakers, noise), seconds, none if heard is None else heard)


def _turns(speakers: int, pieces: int, seed: int = 5) -> Labels:
    random = np.random.default_rng(seed)
    return np.concatenate([np.arange(speakers), random.integers(0, speakers, pieces - speakers)])


@pytest.mark.parametrize("speakers", [1, 2, 5, 8])
def test_it_finds_how_many_there_are_and_who_is_who(speakers: int) -> None:
    truth = _turns(speakers, 120)
    labels, centres = cluster(_pieces(truth), Count(), Tuning())
    assert labels.tolist() == truth.tolist()  # numbered by first appearance
    assert centres.shape == (speakers, SIZE)


def test_a_long_recording_is_clustered_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clustering, "_BLOCK", 100)
    truth = _turns(4, 950)
    labels, _ = cluster(_pieces(truth), Count(), Tuning())
    assert labels.tolist() == truth.tolist()


@pytest.mark.parametrize("wanted", [1, 2, 3])
def test_a_given_number_is_kept(wanted: int) -> None:
    _, centres = cluster(_pieces(_turns(4, 80)), Count(wanted, wanted), Tuning())
    assert len(centres) == wanted


def test_more_than_there_seem_to_be_can_be_asked_for() -> None:
    _, centres = cluster(_pieces(_turns(1, 40)), Count(2, 2), Tuning())
    assert len(centres) == 2


def test_a_bound_that_is_met_changes_nothing() -> None:
    truth = _turns(3, 80)
    labels, _ = cluster(_pieces(truth), Count(2, 5), Tuning())
    assert labels.tolist() == truth.tolist()


def test_a_moment_of_another_voice_is_no_speaker() -> None:
    truth = np.array([0] * 60 + [1])
    _, centres = cluster(_pieces(truth), Count(), Tuning())
    assert len(centres) == 1


def test_what_the_network_heard_as_two_voices_is_not_merged() -> None:
    truth = np.array([0, 1] * 10)
    alike = _pieces(truth, noise=0.2)
    mixed = alike.embeddings + 2.0 * alike.embeddings[::-1]  # two voices that sound alike
    mixed /= np.linalg.norm(mixed, axis=1, keepdims=True)
    unheard = 3 * np.arange(20)
    apart = 3 * (np.arange(20) // 4) + truth
    similar = Pieces(mixed, alike.seconds, unheard)
    tuning = Tuning(alike=0.77, group=0.12, most_within=1.0)
    merged, _ = cluster(similar, Count(), tuning)
    kept, _ = cluster(Pieces(mixed, alike.seconds, apart), Count(), tuning)
    assert merged.max() == 0
    assert kept.tolist() == truth.tolist()


def test_no_pieces_are_no_speakers() -> None:
    none = Pieces(np.zeros((0, SIZE), np.float32), np.zeros(0, np.float32), np.zeros(0, int))
    labels, centres = cluster(none, Count(), Tuning())
    assert len(labels) == len(centres) == 0


def test_the_same_words_again_and_again_are_the_same_voice_as_before() -> None:
    """A repetition is more alike within itself than a voice ever is to what else it says."""
    said, repeated = 12, 12
    own = np.eye(SIZE)[2 : 2 + said]
    free = 0.4 * np.eye(SIZE)[0] + 0.66 * np.eye(SIZE)[1] + np.sqrt(1 - 0.4**2 - 0.66**2) * own
    vectors = np.concatenate([free, np.tile(np.eye(SIZE)[0], (repeated, 1))]).astype(np.float32)
    seconds = np.full(said + repeated, 1.5, np.float32)
    pieces = Pieces(vectors, seconds, 3 * np.arange(said + repeated))
    _, centres = cluster(pieces, Count(), Tuning())
    assert len(centres) == 1
