"""Real voices through the real networks."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.diarization.clustering import Count
from daemon.diarization.diarizer import arrange, listen
from daemon.diarization.networks import Networks
from daemon.domain.speakers import Turn
from daemon.models.registry import BUNDLED
from tests.kit import speakers

MEETINGS = (("dev00", "dev.rttm"), ("dev01", "dev.rttm"), ("sample", "sample.rttm"))


@cache
def _networks() -> Networks:
    return Networks(BUNDLED / "speakers")


def _diarized(audio: FloatArray, count: Count | None = None) -> tuple[list[Turn], int]:
    """The turns, and how many speakers there are."""
    count = count or Count()
    heard = listen(
        lambda start, end: audio[start:end],
        len(audio),
        _networks(),
        count,
        lambda done, total: None,
    )
    turns, voices = arrange(heard, count)
    return turns, len(voices)


def test_real_meetings_and_calls() -> None:
    """The limit is the one that a user was promised; what is measured is in the README."""
    wrong = spoken = 0.0
    for name, rttm in MEETINGS:
        audio = speakers.samples(speakers.FOLDER / f"{name}.flac")
        truth = speakers.truth(speakers.FOLDER / rttm, name)
        turns, count = _diarized(audio)
        found = [(turn.start, turn.end, str(turn.speaker)) for turn in turns]
        errors = speakers.errors(truth, found, len(audio) / SAMPLE_RATE)
        wrong, spoken = wrong + errors[0], spoken + errors[1]
        assert count == 2, name
    assert wrong / spoken < 0.2


@pytest.mark.parametrize("seconds", [0.0, 0.3, 12.0])
def test_silence_and_noise_have_no_speaker(seconds: float) -> None:
    length = int(seconds * SAMPLE_RATE)
    noise = np.random.default_rng(1).normal(scale=1e-4, size=length).astype(np.float32)
    assert _diarized(noise) == ([], 0)


def test_a_given_number_of_speakers() -> None:
    audio = speakers.samples(speakers.FOLDER / "sample.flac")[: 15 * SAMPLE_RATE]
    turns, count = _diarized(audio, Count(1, 1))
    assert count == 1
    assert {turn.speaker for turn in turns} == {0}


def test_turns_are_in_order_and_within_the_recording() -> None:
    audio = speakers.samples(speakers.FOLDER / "dev00.flac")[: 17 * SAMPLE_RATE + 123]
    turns, count = _diarized(audio)
    assert turns == sorted(turns, key=lambda turn: (turn.start, turn.end))
    assert all(0 <= turn.start < turn.end <= len(audio) / SAMPLE_RATE for turn in turns)
    assert {turn.speaker for turn in turns} <= set(range(count))
