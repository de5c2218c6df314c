"""The bell rings for what matters, and is hung up again when its folder returns."""

from __future__ import annotations

import queue
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.inbox.watcher import Watcher


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
