"""The limits of an attempt. Its process is a stand-in: only numbers matter here."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from daemon.domain.job import FailureKind, Identity, Job, Stage
from daemon.handoff.protocol import Progress, Usage
from daemon.processes import outcome
from daemon.processes.attempt import Attempt, AttemptLimits, AttemptState
from daemon.processes.process_tree import Vitals
from daemon.processes.worker import Worker

JOB = Job(1, Path("/in/a.wav"), Identity(1, 1, 1, 1), Stage.ALIGN, 0.0)
LIMITS = AttemptLimits(stall_seconds=10.0, total_seconds=100.0, memory_bytes=1000)


@dataclass
class _Quiet:
    flooding: bool = False


@pytest.fixture
def attempt() -> Attempt:
    worker = cast(Worker, _Quiet())
    return Attempt(JOB, Stage.ALIGN, "abc", worker, LIMITS, begun=0.0, heard=0.0)


def _kind(attempt: Attempt, now: float, vitals: Vitals | None = None) -> FailureKind | None:
    found = attempt.check(now, vitals)
    return found.kind if found else None


def test_progress_is_life(attempt: Attempt) -> None:
    for now in (9.0, 18.0, 27.0):
        attempt.on_progress(Progress("abc", now, 50.0), now)
        assert _kind(attempt, now + 9.9) is None
    assert _kind(attempt, 37.1) is FailureKind.TIMED_OUT


def test_the_same_progress_again_is_none(attempt: Attempt) -> None:
    for now in (1.0, 5.0, 9.0):
        attempt.on_progress(Progress("abc", 3.0, 50.0), now)
    assert _kind(attempt, 11.1) is FailureKind.TIMED_OUT


def test_progress_for_ever_ends_too(attempt: Attempt) -> None:
    for now in range(1, 102):
        attempt.on_progress(Progress("abc", float(now), 50.0), float(now))
    found = attempt.check(101.0, None)
    assert found is not None
    assert found.exit == "overdue"


def test_who_waits_for_others_is_not_late(attempt: Attempt) -> None:
    attempt.state = AttemptState.WAITING
    assert _kind(attempt, 1e6) is None
    attempt.begin_work(1e6)
    assert _kind(attempt, 1e6 + 9.9) is None
    assert _kind(attempt, 1e6 + 10.1) is FailureKind.TIMED_OUT


def test_memory_is_limited_even_while_waiting(attempt: Attempt) -> None:
    attempt.state = AttemptState.WAITING
    assert _kind(attempt, 1.0, Vitals(1000, 0.0, 0)) is None
    assert _kind(attempt, 1.0, Vitals(1001, 0.0, 0)) is FailureKind.MEMORY


def test_a_flood_ends_it(attempt: Attempt) -> None:
    cast(_Quiet, attempt.worker).flooding = True
    assert attempt.check(1.0, None) == outcome.flooded(Stage.ALIGN)


def test_costs_are_its_own_account_or_what_was_seen(attempt: Attempt) -> None:
    attempt.cpu_before = 2.0
    attempt.check(1.0, Vitals(700, 5.0, 0))
    attempt.check(2.0, Vitals(300, 6.0, 0))
    assert attempt.cost() == Usage(4.0, 700)
    attempt.usage = Usage(3.5, 900)
    assert attempt.cost() == Usage(3.5, 900)
    record = attempt.record(outcome.stalled(Stage.ALIGN, 10.0), 50.0)
    assert (record.exit, record.ended_at, record.cpu_seconds) == ("stalled", 50.0, 3.5)
    assert record.reason == "alignment was stopped after 10 s without progress"
