"""One loop that sleeps whenever there is nothing to do. The stages are fakes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import cast

import psutil
import pytest

from daemon.handoff.protocol import Progress
from daemon.processes.worker import Worker, WorkerMessage
from daemon.supervisor.events import Event, EventQueue, InboxRead
from daemon.supervisor.loop import Supervisor
from tests.kit.daemon_process import DaemonProcess, Tables, running
from tests.kit.fake_commands import fake_commands
from tests.kit.pipeline import run_one


def _is_done(daemon: DaemonProcess) -> None:
    daemon.wait_for("done")
    daemon.wait_until(lambda: not daemon.working_on(), "it was idle")


def _is_retrying(daemon: DaemonProcess) -> None:
    daemon.wait_for("retrying")
    daemon.wait_until(lambda: daemon.working_on().get("transcribe", 0) > 0, "it tried again")


def _waits_for_a_retry(daemon: DaemonProcess) -> None:
    daemon.wait_for("retrying")


def _is_paused(daemon: DaemonProcess) -> None:
    daemon.wait_for("paused")


@pytest.mark.parametrize(
    ("way", "tables", "state"),
    [
        ("ok", {}, _is_done),
        ("segv 1 gate:/nowhere", {}, _is_retrying),
        ("segv", {"limits": {"retry_seconds": 60.0}}, _waits_for_a_retry),
        ("disk_full", {}, _is_paused),
    ],
)
def test_the_loop_sleeps_when_there_is_nothing_to_do(
    tmp_path: Path, way: str, tables: Tables, state: Callable[[DaemonProcess], None]
) -> None:
    with running(DaemonProcess.faked(tmp_path / "d", tables, transcribe=way)) as daemon:
        daemon.drop(b"a recording", "a.wav")
        state(daemon)
        assert daemon.cpu_share() < 0.3


def test_idle_the_daemon_takes_next_to_nothing(tmp_path: Path) -> None:
    with running(DaemonProcess.faked(tmp_path / "d")) as daemon:
        daemon.drop(b"a recording", "a.wav")
        _is_done(daemon)
        assert daemon.cpu_share() < 0.02
        assert psutil.Process(daemon.processes[-1].pid).memory_info().rss < 60_000_000


def test_a_file_that_waits_for_its_next_try_does_not_delay_the_others(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    tables: Tables = {"limits": {"retry_seconds": 60.0}}
    way = f"segv 1 gate:{gate}"
    with running(DaemonProcess.faked(tmp_path / "d", tables, prepare=way)) as daemon:
        for name in ("one.wav", "two.wav"):
            daemon.drop(name.encode(), name)
        daemon.wait_for("retrying", 2)
        retried = {event["name"] for event in daemon.events("retrying")}
        assert retried == {"one.wav", "two.wav"}


@pytest.mark.parametrize(("files", "aligners"), [(2, 2), (3, 3), (4, 3)])
def test_one_aligner_is_kept_ahead_for_the_next_file(
    tmp_path: Path, files: int, aligners: int
) -> None:
    """Two work; a third one's imports pass meanwhile, if there is a file that will need it."""
    gate = tmp_path / "gate"
    with running(DaemonProcess.faked(tmp_path / "d", align=f"gate:{gate}")) as daemon:
        for number in range(files):
            daemon.drop(b"%d" % number, f"{number}.wav")
        daemon.wait_for("transcribed", files)
        daemon.wait_until(lambda: _aligners(daemon) == aligners, f"{aligners} aligners were there")
        gate.touch()
        daemon.wait_for("done", files)
        assert daemon.timing("0")["stages"]["align"]["attempts"] == 1


def test_a_decoder_and_an_aligner_wait_for_the_next_file_until_the_transcriber_is_unloaded(
    tmp_path: Path,
) -> None:
    tables: Tables = {"transcribe": {"idle_unload_seconds": 4.0}}
    with running(DaemonProcess.faked(tmp_path / "d", tables)) as daemon:
        daemon.drop(b"a recording", "a.wav")
        daemon.wait_for("done")
        daemon.wait_until(
            lambda: (_decoders(daemon), _aligners(daemon)) == (1, 1), "one of each waited"
        )
        waiting = daemon.stages("prepare", "align")
        daemon.drop(b"another", "b.wav")
        daemon.wait_for("aligned", 2)
        _, alive = psutil.wait_procs(waiting, 60)  # they have worked on that file
        assert len(waiting) == 2
        assert alive == []
        daemon.wait_until(lambda: not daemon.stages(), "nothing was held ready any more")


def test_a_decoder_that_dies_while_it_waits_costs_no_file_an_attempt(tmp_path: Path) -> None:
    with running(DaemonProcess.faked(tmp_path / "d")) as daemon:
        daemon.drop(b"a recording", "a.wav")
        daemon.wait_for("done")
        daemon.wait_until(lambda: _decoders(daemon) == 1, "a decoder waited")
        (waiting,) = daemon.stages("prepare")
        waiting.kill()
        daemon.drop(b"another", "b.wav")
        daemon.wait_for("done", 2)
        assert daemon.timing("b")["stages"]["prepare"]["attempts"] == 1


def _decoders(daemon: DaemonProcess) -> int:
    return len(daemon.stages("prepare"))


def _aligners(daemon: DaemonProcess) -> int:
    return len(daemon.stages("align"))


def test_a_retry_that_falls_due_during_a_turn_is_not_slept_through(tmp_path: Path) -> None:
    """Each turn outlasts the wait. A loop that misses it sleeps until the next scan."""
    turns: list[float] = []

    def linger(_: object) -> None:
        turns.append(time.monotonic())
        time.sleep(0.1)

    tables: Tables = {"limits": {"retry_seconds": 0.02}, "watch": {"rescan_seconds": 20.0}}
    ended = run_one(tmp_path, fake_commands(prepare="leave"), tables, linger)
    assert ended.error["attempts"] == {"prepare": 3}
    assert max(after - before for before, after in pairwise(turns)) < 20


def test_no_event_is_lost_where_more_come_than_a_turn_takes() -> None:
    seen = list[Event]()
    supervisor = object.__new__(Supervisor)
    supervisor._stopping = False
    supervisor._react = seen.append  # type: ignore[method-assign]
    come = [WorkerMessage(cast(Worker, None), Progress("", number, 0.0)) for number in range(170)]
    with closing(EventQueue()) as events:
        supervisor._events = events
        for event in come:
            events.post(event)
        while (first := events.get_now()) is not None:  # what each turn begins with
            supervisor._react_to_all(first)
    assert seen == come


def test_what_a_thread_puts_ends_the_wait() -> None:
    with closing(EventQueue()) as events:
        thread = threading.Timer(0.05, events.put, [InboxRead()])
        thread.start()
        assert events.get(timeout=60) == InboxRead()
        thread.join()
    events.put(InboxRead())  # a thread may be late: nobody waits any more
