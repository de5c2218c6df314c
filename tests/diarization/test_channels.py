"""A call in which each side has its own channel, and is faintly heard in the other's."""

from __future__ import annotations

import numpy as np
import pytest

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.diarization.channels import SameSoundError, levels, speakers
from tests.kit import speakers as kit

_RTTM = kit.FOLDER / "sample.rttm"


def _sides() -> tuple[FloatArray, list[kit.Spoken]]:
    """Two real voices taking turns, a column each: shape (samples, 2), and who speaks when."""
    audio = kit.samples(kit.FOLDER / "sample.flac")
    turns = [(8.35, 9.85, "a"), (15.0, 17.8, "b"), (18.7, 21.4, "a"), (22.0, 27.5, "b")]
    sides = np.zeros((len(audio), 2), np.float32)
    for start, end, side in turns:
        part = slice(int(start * SAMPLE_RATE), int(end * SAMPLE_RATE))
        sides[part, "ab".index(side)] = audio[part]
    noise = np.random.default_rng(3).normal(scale=2e-4, size=sides.shape)
    return sides + noise.astype(np.float32), turns


def _found(sides: FloatArray, names: tuple[str, ...] = ()) -> list[kit.Spoken]:
    found = speakers(levels(lambda start, end: sides[start:end], len(sides)), names)
    return [
        (turn.start, turn.end, found.voices[turn.speaker].name or "ab"[turn.speaker])
        for turn in found.turns
    ]


@pytest.mark.parametrize("gain", [1.0, 0.2])
@pytest.mark.parametrize("crosstalk", [0.0, 0.1])
def test_cross_talk_is_told_from_the_voice(crosstalk: float, gain: float) -> None:
    sides, turns = _sides()
    mixed = sides + crosstalk * sides[:, ::-1]
    mixed[:, 1] *= gain
    wrong, spoken = kit.errors(turns, _found(mixed), len(mixed) / SAMPLE_RATE)
    answers = [(start, end, side) for start, end, side in _found(mixed)]
    for start, end, side in turns:
        share = dict.fromkeys("ab", 0.0)
        for first, last, other in answers:
            share[other] += max(0.0, min(end, last) - max(start, first))
        assert max(share, key=lambda one: share[one]) == side
    assert wrong / spoken < 0.1


def test_tracks_give_their_names() -> None:
    sides, _ = _sides()
    assert {name for _, _, name in _found(sides, ("Ada", "Bob"))} == {"Ada", "Bob"}


def test_a_silent_channel_beside_two_that_speak_is_nobody() -> None:
    sides, _ = _sides()
    three = np.concatenate([np.zeros((len(sides), 1), np.float32), sides], axis=1)
    assert {name for _, _, name in _found(three, ("silence", "Ada", "Bob"))} == {"Ada", "Bob"}


@pytest.mark.parametrize("second", ["same", "silent", "quieter"])
def test_channels_that_cannot_tell_speakers_apart(second: str) -> None:
    sides, _ = _sides()
    one = sides.sum(axis=1)
    other = {"same": one, "silent": np.zeros_like(one), "quieter": -0.3 * one}[second]
    with pytest.raises(SameSoundError, match=r"set speakers\.mode to voices"):
        _found(np.stack([one, other], axis=1))


def test_nothing_has_no_speakers() -> None:
    assert _found(np.zeros((0, 2), np.float32)) == []
