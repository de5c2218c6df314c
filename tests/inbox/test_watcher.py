"""The bell rings for what matters, and is hung up again when its folder returns."""

from __future__ import annotations

import os
import queue
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from watchdog.events import FileSystemEvent

from daemon.inbox.watcher import Watcher, _Bell


@pytest.fixture
def rung() -> queue.SimpleQueue[None]:
    return queue.SimpleQueue()


@pytest.fixture
def watcher(tmp_path: Path, rung: queue.SimpleQueue[None]) -> Iterator[Watcher]:
    (tmp_path / "inbox").mkdir()
    watcher = Watcher(tmp_path / "inbox", lambda: rung.put(None))
    watcher.tend()
    yield watcher
    watcher.stop()


def _silence(rung: queue.SimpleQueue[None]) -> None:
    while not rung.empty():
        rung.get()


def test_a_file_that_gets_its_dates_rings(
    watcher: Watcher, rung: queue.SimpleQueue[None], tmp_path: Path
) -> None:
    """A copy by the Finder ends so."""
    path = tmp_path / "inbox" / "a.wav"
    path.write_bytes(b"a")
    rung.get(timeout=30)
    while True:
        try:
            rung.get(timeout=1)
        except queue.Empty:
            break
    os.utime(path, (1, 1))
    rung.get(timeout=30)


@pytest.mark.parametrize("kind", ["created", "modified", "attrib", "moved", "closed", "deleted"])
def test_what_changes_a_file_rings_and_what_reads_it_does_not(kind: str) -> None:
    rings: list[None] = []
    bell = _Bell(lambda: rings.append(None), lambda event: None)
    for told in (kind, "opened", "closed_no_write"):
        event = FileSystemEvent("a.wav")
        event.event_type = told
        bell.on_any_event(event)
    assert len(rings) == 1


def test_a_file_that_is_written_rings(
    watcher: Watcher, rung: queue.SimpleQueue[None], tmp_path: Path
) -> None:
    (tmp_path / "inbox" / "a.wav").write_bytes(b"a")
    rung.get(timeout=30)
    assert watcher.problem == ""


def test_a_file_that_is_renamed_into_the_inbox_rings(
    watcher: Watcher, rung: queue.SimpleQueue[None], tmp_path: Path
) -> None:
    (tmp_path / "a.wav").write_bytes(b"a")
    (tmp_path / "a.wav").rename(tmp_path / "inbox" / "a.wav")
    rung.get(timeout=30)


def test_a_folder_that_was_replaced_is_watched_again(
    watcher: Watcher, rung: queue.SimpleQueue[None], tmp_path: Path
) -> None:
    shutil.rmtree(tmp_path / "inbox")
    watcher.tend()
    assert "cannot watch" in watcher.problem
    (tmp_path / "inbox").mkdir()
    watcher.tend()
    assert watcher.problem == ""
    _silence(rung)
    (tmp_path / "inbox" / "a.wav").write_bytes(b"a")
    rung.get(timeout=30)


def test_a_stopped_watcher_is_silent(
    watcher: Watcher, rung: queue.SimpleQueue[None], tmp_path: Path
) -> None:
    watcher.stop()
    _silence(rung)
    (tmp_path / "inbox" / "a.wav").write_bytes(b"a")
    watcher.tend()
    (tmp_path / "inbox" / "b.wav").write_bytes(b"b")
    rung.get(timeout=30)
