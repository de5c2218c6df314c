"""Files that come, change, move and leave, seen by a daemon with fake stages."""

from __future__ import annotations

import math
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.config.settings import Config
from daemon.domain.job import Candidate, Identity, Stage
from daemon.inbox.reader import Reader
from daemon.inbox.scan import candidate
from daemon.ledger.inbox_scan import LedgerScan
from daemon.ledger.ledger import Ledger
from daemon.reporting.event_log import EventLog
from daemon.supervisor import admission
from daemon.supervisor.admission import Admission
from daemon.supervisor.events import StopNow
from daemon.supervisor.held_jobs import HeldJobs
from daemon.supervisor.inbox_watch import InboxWatch
from daemon.supervisor.pause import Pause
from tests.kit.daemon_process import DaemonProcess, configured, running, wait_until


def _at_the_gate(daemon: DaemonProcess) -> None:
    daemon.wait_until(lambda: daemon.working_on().get("transcribe", 0) > 0, "it was at the gate")


def test_without_file_events_the_rescan_finds_everything(tmp_path: Path) -> None:
    tables = {"watch": {"events": False, "rescan_seconds": 0.3}}
    with running(DaemonProcess.faked(tmp_path / "d", tables)) as daemon:
        for name in ("a.wav", "b.wav"):
            daemon.drop(name.encode(), name)
            daemon.wait_until(lambda n=name: n[0] in daemon.delivered(), "it was delivered")


def test_a_file_that_changes_while_it_is_transcribed_is_read_again(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(DaemonProcess.faked(tmp_path / "d", transcribe=f"gate:{gate}")) as daemon:
        path = daemon.drop(b"first", "a.wav")
        _at_the_gate(daemon)
        path.write_bytes(b"second and longer")
        daemon.wait_for("changed")
        gate.touch()
        daemon.wait_for("done")
        assert daemon.document("a")["provenance"]["bytes"] == len(b"second and longer")
        assert daemon.delivered() == ["a"]


def test_a_file_that_is_renamed_while_it_is_transcribed_is_delivered_once(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(DaemonProcess.faked(tmp_path / "d", transcribe=f"gate:{gate}")) as daemon:
        path = daemon.drop(b"a recording", "a.wav")
        _at_the_gate(daemon)
        path.rename(path.with_name("b.wav"))
        daemon.wait_for("changed")
        gate.touch()
        daemon.wait_for("done")
        assert daemon.delivered() == ["b"]
        assert (daemon.config.paths.done / "b.wav").read_bytes() == b"a recording"


def test_a_file_that_leaves_before_it_is_read_is_gone(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(DaemonProcess.faked(tmp_path / "d", prepare=f"gate:{gate}")) as daemon:
        path = daemon.drop(b"a recording", "a.wav")
        daemon.wait_until(lambda: daemon.working_on().get("prepare", 0) > 0, "it was read")
        path.unlink()
        (gone,) = daemon.wait_for("gone")
        assert gone["name"] == "a.wav"
        assert daemon.delivered() == []


def test_the_same_name_again_is_another_recording(tmp_path: Path) -> None:
    with running(DaemonProcess.faked(tmp_path / "d")) as daemon:
        for count in (1, 2):
            daemon.drop(b"number %d" % count, "a.wav")
            daemon.wait_for("done", count)
        assert daemon.delivered() == ["a", "a (2)"]
        done = sorted(path.name for path in daemon.config.paths.done.iterdir())
        assert done == ["a (2).wav", "a.wav"]


def test_a_kept_recording_is_transcribed_once(tmp_path: Path) -> None:
    tables = {"output": {"source": "keep"}}
    daemon = DaemonProcess.faked(tmp_path / "d", tables)
    path = daemon.drop(b"a recording", "a.wav")
    for _ in range(2):
        assert daemon.once().returncode == 0
    assert daemon.delivered() == ["a"]
    path.touch()
    assert daemon.once().returncode == 0
    assert daemon.delivered() == ["a"]


def test_an_inbox_that_cannot_be_listed_pauses_until_it_can(tmp_path: Path) -> None:
    daemon = DaemonProcess.faked(tmp_path / "d", {"watch": {"rescan_seconds": 0.3}})
    inbox = daemon.config.paths.inbox
    inbox.rmdir()
    inbox.write_bytes(b"a file in its place")
    with running(daemon):
        daemon.wait_for("paused")
        inbox.unlink()
        inbox.mkdir()
        daemon.drop(b"a recording", "a.wav")
        daemon.wait_for("done")
        assert len(daemon.events("resumed")) == 1


def test_a_rename_is_followed_where_a_volume_keeps_no_change_times(tmp_path: Path) -> None:
    """The file has the identity that it had, under another name."""
    inbox, identity = tmp_path / "inbox", Identity(size=9, mtime_ns=1, ctime_ns=1, inode=7)
    followed: list[Path] = []
    transitions: Any = SimpleNamespace(follow=lambda job, found: followed.append(found.path))
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        config = configured(tmp_path, {})
        context: Any = SimpleNamespace(config=config, ledger=ledger, event_log=EventLog())
        files: Any = SimpleNamespace(note_growth=lambda _: None, is_finished=lambda _: True)
        watched = Admission(inbox, context, transitions, HeldJobs(True), files, files)
        (job,) = ledger.admit([Candidate(inbox / "a.wav", identity)], 0.0)
        watched._settled = [Candidate(inbox / "b.wav", identity)]
        watched._absent = {(7, 9, 1): job.id}
        watched.go_on(0.0)
    assert followed == [inbox / "b.wav"]


def test_of_many_files_only_so_many_become_jobs_in_a_turn(tmp_path: Path) -> None:
    """Whatever else is due comes in between; a file that left meanwhile becomes no job."""
    config = configured(tmp_path, {"watch": {"settle_seconds": 0.0}})
    inbox, turn = config.paths.inbox, admission._A_TURN
    inbox.mkdir()
    for number in range(2 * turn + 3):
        (inbox / f"{number:05}.wav").write_bytes(b"%d" % number)
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        watch = _watch(inbox, config, ledger)
        watch.scan(0.0)
        _wait_for_the_look(watch)
        watch.take_in()
        counts = [len(list(ledger.waiting(Stage.PREPARE)))]
        assert watch.due() == -math.inf
        assert not watch.is_at_rest()
        (inbox / f"{turn:05}.wav").unlink()
        while watch.due() == -math.inf:
            watch.scan(0.0)
            counts.append(len(list(ledger.waiting(Stage.PREPARE))))
        assert watch.is_at_rest()
    assert counts == [turn, 2 * turn - 1, 2 * turn + 2]


def test_a_look_at_very_many_files_is_compared_in_several_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Events come in between, and no new look; nothing is decided before all was compared."""
    monkeypatch.setattr(admission, "_COMPARED", 10)
    config = configured(tmp_path, {"watch": {"settle_seconds": 0.0}})
    inbox = config.paths.inbox
    inbox.mkdir()
    for number in range(25):
        (inbox / f"{number:05}.wav").write_bytes(b"%d" % number)
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        (gone,) = ledger.admit([Candidate(inbox / "gone.wav", Identity(1, 2, 3, 4))], 0.0)
        (known,) = ledger.admit(_found(inbox / "00003.wav"), 0.0)
        watch = _watch(inbox, config, ledger)
        watch.scan(0.0)
        _wait_for_the_look(watch)
        watch.take_in()
        turns = 1
        while len(ledger.active()) == 2:
            assert watch.due() == -math.inf
            assert not watch.is_at_rest()
            watch.scan(0.0)
            turns += 1
        assert turns == 3
        assert [job.id for job in ledger.active()][:2] == [gone.id, known.id]
        assert len(ledger.active()) == 26
        assert watch._admission._missing == {gone.id}
        assert watch.due() > 0.0


def test_a_look_that_cannot_be_compared_is_left_to_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "_COMPARED", 1)
    config = configured(tmp_path, {"watch": {"settle_seconds": 0.0}})
    inbox = config.paths.inbox
    inbox.mkdir()
    for name in ("a.wav", "b.wav", "c.wav"):
        (inbox / name).write_bytes(b"a recording")
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        watch = _watch(inbox, config, ledger)
        watch.scan(0.0)
        _wait_for_the_look(watch)
        watch.take_in()
        with monkeypatch.context() as patched:
            patched.setattr(LedgerScan, "add", _is_locked)
            assert not watch.scan(0.0)
        assert watch._context.pause.reason
        assert watch.due() > 0.0
        watch.scan(0.0)
        _wait_for_the_look(watch)
        watch.take_in()
        while watch.due() == -math.inf:
            watch.scan(0.0)
        assert [job.name for job in ledger.active()] == ["a.wav", "b.wav", "c.wav"]
        assert not watch._context.pause.reason


@pytest.mark.parametrize("at", [1, 20, 45])
def test_a_stop_does_not_wait_until_many_files_are_decided_about(tmp_path: Path, at: int) -> None:
    """While the files are compared with the ledger, or asked whether they are whole."""
    config = configured(tmp_path, {"watch": {"settle_seconds": 0.0}})
    inbox, asked = config.paths.inbox, 0
    inbox.mkdir()
    for number in range(30):
        (inbox / f"{number}.wav").write_bytes(b"a recording")

    def break_off() -> None:
        nonlocal asked
        asked += 1
        if asked == at:
            raise StopNow

    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        watch = _watch(inbox, config, ledger, break_off)
        watch.scan(0.0)
        _wait_for_the_look(watch)
        with pytest.raises(StopNow):
            watch.take_in()
        assert not ledger.anything_active()
        (job,) = ledger.admit([Candidate(inbox / "0.wav", Identity(1, 2, 3, 4))], 0.0)
        assert ledger.active() == [job]


def test_what_cannot_be_stored_becomes_a_job_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = configured(tmp_path, {"watch": {"settle_seconds": 0.0}})
    inbox = config.paths.inbox
    inbox.mkdir()
    (inbox / "a.wav").write_bytes(b"a recording")
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        watch = _watch(inbox, config, ledger)
        with monkeypatch.context() as patched:
            patched.setattr(ledger, "admit", _is_locked)
            watch.scan(0.0)
            _wait_for_the_look(watch)
            assert not watch.take_in()
        assert watch._context.pause.reason
        watch.scan(0.0)
        _wait_for_the_look(watch)
        watch.take_in()
        (job,) = ledger.active()
        assert not watch._context.pause.reason
    assert job.name == "a.wav"


def _found(path: Path) -> list[Candidate]:
    found = candidate(path)
    return [found] if found else []


def _wait_for_the_look(watch: InboxWatch) -> None:
    wait_until(lambda: watch._reader.has_ended, "the inbox was read")


def _is_locked(*_: object) -> None:
    raise sqlite3.OperationalError("database is locked")


def _watch(
    inbox: Path, config: Config, ledger: Ledger, break_off: Callable[[], None] = lambda: None
) -> InboxWatch:
    """Of a folder whose files are whole as soon as they are seen."""
    context: Any = SimpleNamespace(
        config=config,
        ledger=ledger,
        event_log=EventLog(),
        clock=time.monotonic,
        unix_time=time.time,
        pause=Pause(EventLog(), retry_seconds=1.0),
        publisher=SimpleNamespace(emptied=SimpleNamespace(remove=lambda: None)),
    )
    files: Any = _Whole()
    nothing: Any = SimpleNamespace()
    admitted = Admission(inbox, context, nothing, HeldJobs(True), files, files, break_off)
    return InboxWatch(context, admitted, None, Reader(lambda: None), lambda: None, lambda: None)


class _Whole:
    """Says that no file is still written."""

    def __call__(self, *_: object) -> float:
        return 0.0

    def keep_only(self, _: object) -> None: ...

    def note_growth(self, _: object) -> None: ...

    def is_finished(self, *_: object) -> bool:
        return True
