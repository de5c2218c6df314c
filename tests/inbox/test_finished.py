"""daemon.inbox.finished: signs that a file's writer is done, by real writers and real events."""

from __future__ import annotations

import itertools
import os
import queue
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from watchdog.events import FileSystemEvent

from daemon.config.settings import Watch
from daemon.inbox.finished import FinishedFiles
from daemon.inbox.open_files import OpenFiles
from daemon.inbox.scan import Settling, candidate
from daemon.inbox.watcher import Watcher

LONG_AGO = 1_000_000_000
WATCH = Watch(settle_seconds=60.0)
Ask = Callable[[Path], bool]


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    folder = tmp_path / "inbox"
    folder.mkdir()
    return folder


@pytest.fixture
def ask(inbox: Path) -> Iterator[Ask]:
    """Whether a file bears a sign, once the events of everything until now were heard."""
    finished = FinishedFiles(WATCH, OpenFiles(inbox).is_closed)
    numbers = itertools.count()
    heard: queue.SimpleQueue[str] = queue.SimpleQueue()

    def on_event(event: FileSystemEvent) -> None:
        finished.on_event(event)
        heard.put(os.fsdecode(event.src_path))

    watcher = Watcher(inbox, lambda: None, on_event=on_event)
    watcher.tend()

    def is_finished(path: Path) -> bool:
        mark = inbox / f"mark {next(numbers)}"
        mark.touch()
        while heard.get(timeout=30) != str(mark):
            pass
        found = candidate(path)
        assert found is not None
        return finished(found, time.monotonic())

    yield is_finished
    watcher.stop()


def test_a_file_that_its_writer_closed_is_finished(inbox: Path, ask: Ask) -> None:
    path = inbox / "a.wav"
    with path.open("wb") as file:
        file.write(b"first")
        file.flush()
        assert not ask(path)
    assert ask(path)


def test_a_file_that_is_opened_again_to_append_must_stand_still(inbox: Path, ask: Ask) -> None:
    path = inbox / "a.wav"
    path.write_bytes(b"first")
    with path.open("ab") as file:
        file.write(b"second")
    assert not ask(path)


def test_a_second_writer_keeps_it_open(inbox: Path, ask: Ask) -> None:
    path = inbox / "a.wav"
    path.write_bytes(b"first")
    with path.open("ab"):
        assert not ask(path)


def test_a_new_file_of_an_old_name_is_another_one(inbox: Path, ask: Ask) -> None:
    path = inbox / "a.wav"
    path.write_bytes(b"first")
    path.unlink()
    path.write_bytes(b"second")
    assert ask(path)


def test_a_rename_inside_the_inbox_is_the_end(inbox: Path, ask: Ask) -> None:
    part = inbox / "a.wav.part"
    with part.open("wb") as file:
        file.write(b"first")
    with part.open("ab") as file:
        file.write(b"second")
    assert not ask(part)
    assert ask(part.rename(inbox / "a.wav"))


def _candidate_is_finished(path: Path, folder: Path, watch: Watch = WATCH) -> bool:
    found = candidate(path)
    assert found is not None
    return FinishedFiles(watch, OpenFiles(folder).is_closed)(found, time.monotonic())


def test_without_events_the_dates_tell(inbox: Path, tmp_path: Path) -> None:
    """A copy that keeps its dates ends with them; a rename and a link leave them alone."""
    old = tmp_path / "old.wav"
    old.write_bytes(b"a")
    os.utime(old, (LONG_AGO, LONG_AGO))
    copied = Path(shutil.copy2(old, inbox / "copied.wav"))
    linked = inbox / "linked.wav"
    linked.hardlink_to(old)
    fresh = inbox / "fresh.wav"
    fresh.write_bytes(b"a")
    assert _candidate_is_finished(copied, inbox)
    assert _candidate_is_finished(linked, inbox)
    assert not _candidate_is_finished(fresh, inbox)
    with copied.open("ab"):
        assert not _candidate_is_finished(copied, inbox)


def test_what_is_empty_or_on_another_machine_must_stand_still(inbox: Path) -> None:
    path = inbox / "a.wav"
    path.touch()
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert not _candidate_is_finished(path, inbox)
    path.write_bytes(b"a")
    os.utime(path, (LONG_AGO, LONG_AGO))
    found = candidate(path)
    assert found is not None
    remote = OpenFiles(inbox, is_remote=lambda _: True)
    assert not FinishedFiles(WATCH, remote.is_closed)(found, time.monotonic())


def test_it_can_be_turned_off(inbox: Path) -> None:
    path = inbox / "a.wav"
    path.write_bytes(b"a")
    os.utime(path, (LONG_AGO, LONG_AGO))
    assert not _candidate_is_finished(path, inbox, Watch(settle_early=False))


def test_a_finished_file_is_settled_at_the_first_look_unless_it_waits_for_somebody(
    inbox: Path,
) -> None:
    path = inbox / "a.wav"
    path.write_bytes(b"a")
    found = candidate(path)
    assert found is not None

    def always(candidate: object, now: float) -> bool:
        return True

    assert Settling(2.0, 30.0, is_finished=always).look([found], 10.0) == [found]
    waits = Settling(2.0, 30.0, lambda candidate, still: 5.0, is_finished=always)
    assert waits.look([found], 10.0) == []
    assert waits.due() == 15.0
