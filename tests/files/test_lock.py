"""One daemon a state folder, whatever becomes of the holder."""

from __future__ import annotations

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from daemon.errors import TemporaryError
from daemon.files.daemon_lock import Lock
from daemon.files.lock import FolderLock, is_held

_HOLDER = """
import subprocess, sys, time
from pathlib import Path
from daemon.files.daemon_lock import Lock
with Lock(Path(sys.argv[1])):
    child = subprocess.Popen(["sleep", "20"], stdout=subprocess.DEVNULL)
    print(child.pid, flush=True)
    time.sleep(60)
"""


def test_a_lock_is_held_by_one_and_free_afterwards(tmp_path: Path) -> None:
    with Lock(tmp_path):
        assert is_held(tmp_path)
        with pytest.raises(TemporaryError, match="another dropscribe is running"), Lock(tmp_path):
            pass
    assert not is_held(tmp_path)


def test_a_killed_holder_leaves_no_lock_even_if_its_child_lives(tmp_path: Path) -> None:
    holder = subprocess.Popen(
        [sys.executable, "-c", _HOLDER, str(tmp_path)], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    child = int(holder.stdout.readline())
    assert is_held(tmp_path)
    holder.kill()
    holder.wait()
    holder.stdout.close()
    assert not is_held(tmp_path)
    subprocess.run(["kill", f"-{signal.SIGKILL}", str(child)], check=True)


def test_where_there_is_no_state_there_is_no_daemon(tmp_path: Path) -> None:
    assert not is_held(tmp_path / "nothing")


def test_the_lock_file_is_nobody_elses_business(tmp_path: Path) -> None:
    with Lock(tmp_path):
        assert (tmp_path / "daemon.lock").stat().st_mode & 0o777 == 0o600


def test_a_link_in_the_locks_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "daemon.lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match=r".+"), Lock(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_state_folder_that_is_removed_ends_the_daemon_that_held_it(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir()
    with Lock(state) as lock:
        lock.check()
        (state / "daemon.lock").unlink()
        with pytest.raises(TemporaryError, match="was removed or replaced"):
            lock.check()
        with Lock(state), pytest.raises(TemporaryError):
            lock.check()


def test_an_inbox_is_watched_by_one_daemon(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with closing(FolderLock(inbox)) as first, closing(FolderLock(inbox)) as second:
        first.hold()
        first.hold()
        with pytest.raises(TemporaryError, match="give each its own inbox"):
            second.hold()
        assert list(inbox.iterdir()) == []
    with closing(FolderLock(inbox)) as third:
        third.hold()


def test_an_inbox_that_was_replaced_is_locked_anew(tmp_path: Path) -> None:
    inbox = tmp_path / "inbox"
    inbox.mkdir()
    with closing(FolderLock(inbox)) as first, closing(FolderLock(inbox)) as second:
        first.hold()
        inbox.rename(tmp_path / "old")
        inbox.mkdir()
        first.hold()
        with pytest.raises(TemporaryError):
            second.hold()
