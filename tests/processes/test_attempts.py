"""Which process works on what. The processes are real, the stages in them fakes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.domain.job import FailureKind, Identity, Job, Stage
from daemon.handoff.artefacts import JobRequest
from daemon.handoff.protocol import MoreInput
from daemon.processes.attempt import Attempt, AttemptLimits
from daemon.processes.attempts import Attempts, Ended
from daemon.processes.worker import WorkerExited, WorkerMessage
from daemon.supervisor.events import EventQueue
from tests.kit.daemon_process import wait_until
from tests.kit.fake_commands import fake_commands

LIMITS = AttemptLimits(3600.0, 3600.0, 10**10)
Make = Callable[..., "Floor"]


class Floor:
    """Attempts, their events, and job folders for them to work in."""

    def __init__(self, root: Path, **ways: str) -> None:
        self._root = root
        self.events = EventQueue()
        given = self.events.post, self.events.pipes
        self.attempts = Attempts(fake_commands(**ways), root, *given, 0.2)

    def start(self, number: int, stage: Stage) -> Attempt:
        source = self._root / f"{number}.wav"
        source.write_bytes(b"a recording")
        job = Job(number, source, Identity.of(source.stat()), stage, 0.0)
        (self._root / str(number)).mkdir(exist_ok=True)
        request = JobRequest(source, job.identity, None, (), None, 10**9, 3600.0)
        request.write(self._root / str(number))
        attempt = self.attempts.start(job, stage, LIMITS, 0.0)
        if stage is Stage.ALIGN:
            self.attempts.send_more_input(number, complete=True, now=0.0)
        return attempt

    def heard(self) -> WorkerMessage | WorkerExited:
        event = self.events.get(timeout=60)
        assert isinstance(event, WorkerMessage | WorkerExited)
        return event

    def conclusion(self) -> Ended:
        """Hear events until one of them ends a run."""
        while True:
            if ended := self.attempts.on_event(self.heard(), 1.0):
                (one,) = ended
                return one


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    floors: list[Floor] = []

    def build(**ways: str) -> Floor:
        floors.append(Floor(tmp_path, **ways))
        return floors[-1]

    yield build
    for floor in floors:
        floor.attempts.stop_all()
        floor.events.close()


def test_a_receipt_with_a_valid_result_is_success(make: Make) -> None:
    floor = make()
    attempt = floor.start(1, Stage.PREPARE)
    ended, found = floor.conclusion()
    assert ended is attempt
    assert found.kind is None
    assert floor.attempts.running == []
    assert attempt.worker.exit_code() is not None


def test_the_transcriber_is_resident_and_an_aligner_is_spent(make: Make) -> None:
    floor = make()
    first = floor.start(1, Stage.TRANSCRIBE)
    floor.conclusion()
    second = floor.start(2, Stage.TRANSCRIBE)
    floor.conclusion()
    assert first.worker is second.worker
    assert second.worker.exit_code() is None
    floor.start(1, Stage.ALIGN)
    aligned, _ = floor.conclusion()
    again = floor.start(2, Stage.ALIGN)
    assert again.worker is not aligned.worker


def test_a_spare_is_used_first(make: Make) -> None:
    floor = make()
    floor.attempts.prewarm([Stage.TRANSCRIBE, Stage.ALIGN], 0.0)
    assert floor.attempts.idle_since() == 0.0
    heard = {floor.heard().worker.pid for _ in range(2)}
    attempt = floor.start(1, Stage.ALIGN)
    assert attempt.worker.pid in heard


def test_a_dead_transcriber_is_replaced(make: Make) -> None:
    floor = make(transcribe="kill 1")
    first = floor.start(1, Stage.TRANSCRIBE)
    _, found = floor.conclusion()
    assert found.kind is FailureKind.CRASHED
    second = floor.start(1, Stage.TRANSCRIBE)
    _, found = floor.conclusion()
    assert found.kind is None
    assert first.worker is not second.worker


def test_what_a_dead_process_said_last_still_counts(make: Make) -> None:
    """It is seen dead before its receipt is heard."""
    floor = make(align="abort_at_exit")
    attempt = floor.start(1, Stage.ALIGN)
    wait_until(lambda: attempt.worker.exit_code() is not None, "it was dead")
    assert floor.attempts.check(1.0) == []
    _, found = floor.conclusion()
    assert found.kind is None


def test_a_death_that_nobody_tells_of_is_found_by_looking(make: Make) -> None:
    """Somebody else holds its stdout open, so that its end is no event."""
    floor = make(align="unseen_grandchild")
    attempt = floor.start(1, Stage.ALIGN)
    wait_until(lambda: attempt.worker.exit_code() is not None, "it was dead")
    assert floor.attempts.check(1.0) == []
    ((ended, found),) = floor.attempts.check(1.5)
    assert ended is attempt
    assert found.exit == "exit 9"


def test_a_run_that_breaks_a_limit_is_ended(make: Make) -> None:
    floor = make(align="hang")
    attempt = floor.start(1, Stage.ALIGN)
    attempt.limits = replace(LIMITS, stall_seconds=5.0)
    assert floor.attempts.check(4.0) == []
    ((_, found),) = floor.attempts.check(6.0)
    assert found.kind is FailureKind.TIMED_OUT
    assert attempt.worker.exit_code() is not None


def test_a_delay_of_ours_is_nobodys_fault(make: Make) -> None:
    floor = make(align="hang")
    floor.start(1, Stage.ALIGN).limits = replace(LIMITS, stall_seconds=5.0)
    floor.attempts.reset_stall_clocks(100.0)
    assert floor.attempts.check(104.0) == []


def test_a_job_can_be_stopped_without_a_verdict(make: Make) -> None:
    floor = make(align="hang")
    attempt = floor.start(1, Stage.ALIGN)
    floor.start(2, Stage.ALIGN)
    assert floor.attempts.stop(1) == [attempt]
    assert [left.job.id for left in floor.attempts.running] == [2]
    assert attempt.worker.exit_code() is not None


def test_idle_processes_are_let_go(make: Make) -> None:
    floor = make()
    worker = floor.start(1, Stage.TRANSCRIBE).worker
    assert floor.attempts.idle_since() is None
    floor.conclusion()
    assert floor.attempts.idle_since() == 1.0
    floor.attempts.stop_idle(10.0, idle_seconds=10.0)
    assert worker.exit_code() is None
    floor.attempts.stop_idle(11.0, idle_seconds=10.0)
    assert worker.exit_code() is not None
    assert floor.attempts.idle_since() is None


def test_an_aligner_learns_whether_a_transcription_needs_the_processor_beside_it(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    floor = make(transcribe=f"gate:{tmp_path / 'gate'}", align=f"gate:{tmp_path / 'never'}")
    floor.start(1, Stage.TRANSCRIBE)
    aligning = floor.start(2, Stage.ALIGN)
    asked: list[MoreInput] = []
    monkeypatch.setattr(aligning.worker, "ask", asked.append)
    floor.attempts.send_more_input(2, complete=True, now=0.0)
    (tmp_path / "gate").touch()
    floor.conclusion()
    floor.attempts.send_more_input(2, complete=True, now=0.0)
    assert [(one.complete, one.alone) for one in asked] == [(True, False), (True, True)]
