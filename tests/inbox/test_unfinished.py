"""daemon.inbox.unfinished: what grew is waited for, and not for ever."""

from __future__ import annotations

from pathlib import Path

from daemon.inbox.unfinished import UnfinishedFiles

_FILE = Path("/inbox/a.wav")


def test_a_file_that_was_dropped_whole_is_not_waited_for() -> None:
    assert not UnfinishedFiles(600.0).wait_for_more(_FILE)


def test_the_waits_double_until_patience_is_used_up() -> None:
    files = UnfinishedFiles(60.0)
    files.note_growth(_FILE)
    waits = []
    while files.wait_for_more(_FILE):
        waits.append(files.stillness(_FILE))
    assert waits == [4.0, 8.0, 16.0, 32.0]
    assert sum(waits) == 60.0
    assert files.stillness(_FILE) == 0.0


def test_growth_begins_anew() -> None:
    files = UnfinishedFiles(600.0)
    files.note_growth(_FILE)
    assert files.wait_for_more(_FILE)
    assert files.wait_for_more(_FILE)
    files.note_growth(_FILE)
    assert files.stillness(_FILE) == 0.0
    assert files.wait_for_more(_FILE)
    assert files.stillness(_FILE) == 4.0


def test_no_patience_is_no_wait() -> None:
    files = UnfinishedFiles(0.0)
    files.note_growth(_FILE)
    assert not files.wait_for_more(_FILE)
