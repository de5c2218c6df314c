"""daemon.stages.clock: which time stamps are believed."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from daemon.stages.clock import FrameClock

_FRAME = 0.02  # seconds


def _placed(stamps: Iterable[float | None]) -> list[float]:
    """Where frames of equal length with these stamps begin."""
    clock: FrameClock[int] = FrameClock()
    placed = []
    for index, stamp in enumerate(stamps):
        placed += clock.put(index, _FRAME, stamp)
    placed += clock.flush()
    assert [index for _, index in placed] == list(range(len(placed))), "in order, none lost"
    return [start for start, _ in placed]


def _steady(count: int, start: float = 0.0) -> list[float]:
    return [start + _FRAME * index for index in range(count)]


@pytest.mark.parametrize("start", [0.0, 12.0, -0.5])
def test_a_track_starts_where_its_stamps_say(start: float) -> None:
    assert _placed(_steady(10, start)) == pytest.approx(_steady(10, start))


def test_jitter_moves_nothing() -> None:
    jittery = [stamp + 0.015 * (-1) ** index for index, stamp in enumerate(_steady(50))]
    assert _placed(jittery) == pytest.approx(_steady(50))


@pytest.mark.parametrize("by", [0.1, 20.0, -0.3])
def test_a_jump_that_the_next_frames_bear_out_is_followed(by: float) -> None:
    stamps = _steady(50) + [stamp + by for stamp in _steady(50, 1.0)]
    assert _placed(stamps) == pytest.approx(stamps)


@pytest.mark.parametrize("wrong", [500.0, 0.0, 1e9])
def test_a_single_wrong_stamp_is_not(wrong: float) -> None:
    stamps = _steady(50)
    stamps[20] = wrong
    assert _placed(stamps) == pytest.approx(_steady(50))


@pytest.mark.parametrize("again", [0.0, 90_000.0])
def test_stamps_that_start_anew_are_joined_on(again: float) -> None:
    stamps = _steady(100) + _steady(100, again)
    assert _placed(stamps) == pytest.approx(_steady(200))


def test_frames_without_stamps_follow() -> None:
    stamps: list[float | None] = [*_steady(3, 5.0), None, None, None]
    assert _placed(stamps) == pytest.approx(_steady(6, 5.0))


def test_a_slow_clock_is_kept_up_with() -> None:
    """An hour of a sound card that runs half a percent slow is 18 s longer than its samples."""
    stamps = [index * _FRAME * 1.005 for index in range(180_000)]
    placed = _placed(stamps)
    assert max(abs(a - b) for a, b in zip(placed, stamps, strict=True)) < 0.03


def test_stamps_that_never_agree_say_nothing() -> None:
    stamps = [(index * 7919 % 100) * 1.0 for index in range(200)]
    placed = _placed(stamps)
    assert len(placed) == 200
    assert placed == sorted(placed)
