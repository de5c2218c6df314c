"""Longer waits after each failure, and none that keeps the loop awake."""

from __future__ import annotations

from daemon.supervisor.backoff import Backoff


def test_each_failure_waits_longer_up_to_a_limit() -> None:
    backoff = Backoff(5.0)
    assert [backoff.wait(1, failures, 0.0) for failures in (1, 2, 3, 20)] == [
        5.0,
        10.0,
        20.0,
        300.0,
    ]


def test_only_the_file_that_failed_waits() -> None:
    backoff = Backoff(5.0)
    backoff.wait(1, 1, 100.0)
    assert not backoff.is_over(1, 104.9)
    assert backoff.is_over(2, 100.0)
    assert backoff.is_over(1, 105.0)


def test_a_wait_that_is_over_wakes_nobody() -> None:
    backoff = Backoff(5.0)
    assert backoff.next(0.0) is None
    backoff.wait(1, 1, 0.0)
    backoff.wait(2, 2, 0.0)
    assert backoff.next(1.0) == 5.0
    assert backoff.next(5.0) == 10.0
    assert backoff.next(10.0) is None
