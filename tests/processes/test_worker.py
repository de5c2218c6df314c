"""The handle on one stage process. The processes are fakes that really misbehave."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from daemon.domain.job import Stage
from daemon.handoff.protocol import MoreInput, Progress, Ready, Receipt, Request
from daemon.processes.worker import Worker, WorkerExited, WorkerMessage
from daemon.supervisor.events import Event, EventQueue
from tests.kit.daemon_process import wait_until
from tests.kit.fake_commands import fake_commands

Start = Callable[[str], Worker]


@pytest.fixture
def events() -> Iterator[EventQueue]:
    with closing(EventQueue()) as queue:
        yield queue


@pytest.fixture
def start(tmp_path: Path, events: EventQueue) -> Iterator[Start]:
    """Starts an aligner that breaks in the given way; ends it after the test."""
    workers: list[Worker] = []

    def begin(way: str) -> Worker:
        command = fake_commands(align=way)[Stage.ALIGN]
        log = tmp_path / "job.log"
        given = command.arguments, command.environment
        workers.append(Worker(*given, log, events.post, events.pipes))
        return workers[-1]

    yield begin
    for worker in workers:
        worker.end(0.1)


def _ask(worker: Worker, folder: Path) -> None:
    worker.ask(Request(folder, "abc"))
    worker.ask(MoreInput("abc", complete=True))


def _heard(events: EventQueue) -> Event:
    return events.get(timeout=60)


def test_what_a_process_says_becomes_events_and_its_end_is_the_last(
    start: Start, events: EventQueue, tmp_path: Path
) -> None:
    worker = start("ok")
    assert _heard(events) == WorkerMessage(worker, Ready())
    _ask(worker, tmp_path)
    said = _heard(events)
    assert isinstance(said, WorkerMessage)
    assert isinstance(said.message, Receipt)
    assert worker.exit_code() is None
    worker.end(5.0)
    assert _heard(events) == WorkerExited(worker)


@pytest.mark.parametrize(("way", "code"), [("segv", -11), ("abort", -6), ("kill", -9), ("fail", 7)])
def test_how_a_process_died_is_not_lost(
    start: Start, events: EventQueue, tmp_path: Path, way: str, code: int
) -> None:
    worker = start(way)
    _heard(events)
    _ask(worker, tmp_path)
    assert _heard(events) == WorkerExited(worker)
    assert worker.end(1.0) == code


@pytest.mark.parametrize("way", ["deaf", "stop"])
def test_a_process_that_is_deaf_to_politeness_is_killed(
    start: Start, events: EventQueue, tmp_path: Path, way: str
) -> None:
    worker = start(way)
    _heard(events)
    _ask(worker, tmp_path)
    if way == "stop":
        wait_until(lambda: psutil.Process(worker.pid).status() == "stopped", "it had stopped")
    else:
        _heard(events)
    assert worker.end(0.2) == -signal.SIGKILL
    assert not psutil.pid_exists(worker.pid)


def test_a_flood_is_noticed_and_not_kept(start: Start, events: EventQueue, tmp_path: Path) -> None:
    worker = start("flood_output")
    _heard(events)
    _ask(worker, tmp_path)
    while not worker.flooding:
        events.pipes.wait(60)
    worker.end(0.2)
    assert _heard(events) == WorkerExited(worker)
    assert events.get_now() is None


def test_progress_that_comes_too_fast_does_not_fill_our_queue(
    start: Start, events: EventQueue, tmp_path: Path
) -> None:
    worker = start("spin")
    _heard(events)
    _ask(worker, tmp_path)
    said = _heard(events)
    assert isinstance(said, WorkerMessage)
    assert isinstance(said.message, Progress)
    worker.end(0.2)


def test_memory_and_cpu_of_the_whole_tree_are_seen(
    start: Start, events: EventQueue, tmp_path: Path
) -> None:
    worker = start("grandchild")
    _heard(events)
    _ask(worker, tmp_path)
    wait_until(lambda: (v := worker.vitals()) is not None and v.children == 1, "it had a child")
    vitals = worker.vitals()
    assert vitals is not None
    assert vitals.memory_bytes > 1_000_000
    assert vitals.cpu_seconds > 0


def test_a_dead_process_has_no_vitals_and_hears_nothing(
    start: Start, events: EventQueue, tmp_path: Path
) -> None:
    worker = start("kill")
    _heard(events)
    _ask(worker, tmp_path)
    _heard(events)
    worker.end(1.0)
    assert worker.vitals() is None
    _ask(worker, tmp_path)


def test_a_process_that_does_not_read_does_not_hold_us(
    start: Start, events: EventQueue, tmp_path: Path
) -> None:
    worker = start("hang")
    _heard(events)
    _ask(worker, tmp_path)
    for _ in range(5000):
        worker.ask(MoreInput("abc", complete=False))


def test_a_program_that_is_not_there_is_an_error(tmp_path: Path, events: EventQueue) -> None:
    with pytest.raises(FileNotFoundError):
        Worker([str(tmp_path / "none")], {}, tmp_path / "job.log", events.post, events.pipes)
