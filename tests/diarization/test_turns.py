"""Turns where voices overlap."""

from __future__ import annotations

import numpy as np

from daemon.audio import SAMPLE_RATE
from daemon.diarization.networks import FRAME_SECONDS, FRAMES, LOCAL
from daemon.diarization.turns import turns
from daemon.diarization.windows import BoolArray, Heard, Stretch

CENTRES = np.eye(3, dtype=np.float32)


def _active(*spans: tuple[int, float, float]) -> BoolArray:
    active = np.zeros((FRAMES, LOCAL), np.bool_)
    for voice, start, end in spans:
        active[round(start / FRAME_SECONDS) : round(end / FRAME_SECONDS), voice] = True
    return active


def _stretch(window: int, voice: int, start: float, end: float, speaker: int) -> Stretch:
    start, end = start + 10.0 * window, end + 10.0 * window
    return Stretch(window, voice, start, end, ((start, end),), CENTRES[[speaker]], (True,))


def _spoken(heard: Heard, speaker: int) -> list[tuple[float, float]]:
    found = turns(heard, CENTRES, heard.length / SAMPLE_RATE)
    return [(round(turn.start, 1), round(turn.end, 1)) for turn in found if turn.speaker == speaker]


def test_a_voice_that_is_never_alone_is_of_the_nearest_other_speaker() -> None:
    """It agrees while another speaks: too short to be told, but not the one who speaks."""
    first = _active((0, 0.0, 6.0), (1, 4.0, 5.0), (2, 7.0, 10.0))
    second = _active((0, 2.0, 8.0))
    heard = Heard(
        20 * SAMPLE_RATE,
        [first, second],
        [_stretch(0, 0, 0.0, 4.0, 0), _stretch(0, 2, 7.0, 10.0, 1), _stretch(1, 0, 2.0, 8.0, 2)],
    )
    assert _spoken(heard, 0) == [(0.0, 6.0)]
    assert _spoken(heard, 1) == [(4.0, 5.0), (7.0, 10.0)]
    assert _spoken(heard, 2) == [(12.0, 18.0)]


def test_nobody_else_is_invented_where_only_one_speaks() -> None:
    heard = Heard(
        10 * SAMPLE_RATE,
        [_active((0, 0.0, 6.0), (1, 2.0, 3.0))],
        [_stretch(0, 0, 0.0, 2.0, 0), _stretch(0, 0, 3.0, 6.0, 0)],
    )
    assert _spoken(heard, 0) == [(0.0, 6.0)]
    assert _spoken(heard, 1) == _spoken(heard, 2) == []


def test_two_voices_at_once_are_two_speakers() -> None:
    heard = Heard(
        10 * SAMPLE_RATE,
        [_active((0, 0.0, 6.0), (1, 4.0, 9.0))],
        [_stretch(0, 0, 0.0, 4.0, 0), _stretch(0, 1, 6.0, 9.0, 1)],
    )
    assert _spoken(heard, 0) == [(0.0, 6.0)]
    assert _spoken(heard, 1) == [(4.0, 9.0)]
