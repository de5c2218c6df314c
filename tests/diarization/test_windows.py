"""Samples of voices: how many, and where a change of speakers is looked for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.diarization import turns
from daemon.diarization.networks import FRAME_SECONDS, FRAMES, LOCAL, SIZE, WINDOW
from daemon.diarization.windows import Heard, count_windows, listen, refine

# Two voices: the sign of the samples says which.
CENTRES = np.eye(2, SIZE, dtype=np.float32)


class Networks:
    """Hears one voice in all windows; probabilities, and the seconds of voice it was asked for."""

    def __init__(self, probability: float = 0.95) -> None:
        self.probability = probability
        self.heard = 0.0

    def activities(self, windows: FloatArray) -> FloatArray:
        found = np.zeros((len(windows), FRAMES, LOCAL), np.float32)
        found[:, :, 1] = self.probability
        return found

    def voice(self, audio: FloatArray) -> FloatArray:
        self.heard += len(audio) / SAMPLE_RATE
        share = float((audio > 0).mean())
        vector = np.zeros(SIZE, np.float32)
        vector[:2] = share, 1 - share
        return vector / np.linalg.norm(vector)


def _listened(signs: Sequence[tuple[int, float]], networks: Networks) -> tuple[FloatArray, Heard]:
    """A recording of (sign, seconds) parts, and what was heard in it."""
    audio = np.concatenate(
        [np.full(int(seconds * SAMPLE_RATE), sign, np.float32) for sign, seconds in signs]
    )
    heard = listen(
        lambda start, end: audio[start:end],
        len(audio),
        networks,  # type: ignore[arg-type]
        lambda *_: None,
    )
    return audio, heard


@pytest.mark.parametrize("change", [2.3, 4.0, 7.9])
def test_a_change_within_a_stretch_is_found_by_bisection(change: float) -> None:
    networks = Networks()
    audio, heard = _listened([(1, change), (-1, 20.0 - change)], networks)
    first = networks.heard
    assert first < 0.7 * 20
    refine(
        lambda start, end: audio[start:end],
        heard,
        CENTRES,
        networks,  # type: ignore[arg-type]
        lambda *_: None,
    )
    assert networks.heard - first <= 2.0
    found = turns.turns(heard, CENTRES, 20.0)
    assert [turn.speaker for turn in found] == [0, 1]
    assert found[0].end == pytest.approx(change, abs=0.7)
    assert len(turns.pieces(heard).seconds) == sum(sum(one.even) for one in heard.stretches)


def test_samples_cover_what_is_long_and_hear_no_more_than_they_need() -> None:
    networks = Networks()
    _, heard = _listened([(1, 60.0)], networks)
    assert 0.4 < networks.heard / 60 < 0.7
    assert [stretch.window for stretch in heard.stretches] == list(range(6))


def test_what_is_never_heard_for_sure_is_no_speech() -> None:
    _, doubtful = _listened([(1, 10.0)], Networks(0.65))
    assert not doubtful.active[0].any()
    assert not doubtful.stretches


@pytest.mark.parametrize(
    ("seconds", "windows"), [(0.0, 1), (9.0, 1), (10.0, 1), (10.4, 1), (10.6, 2), (3600.0, 360)]
)
def test_windows_follow_one_another(seconds: float, windows: int) -> None:
    assert count_windows(int(seconds * SAMPLE_RATE)) == windows
    assert WINDOW == 10 * SAMPLE_RATE
    assert pytest.approx(10.0) == FRAMES * FRAME_SECONDS
