"""Hooks are real processes here: they get the message, and leave nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from daemon.reporting.hook import Hook

NEVER = threading.Event()


def python(program: str, *arguments: str, seconds: float = 30.0) -> Hook:
    return Hook([sys.executable, "-c", program, *arguments], seconds)


def gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def test_the_message_arrives_on_standard_input(tmp_path: Path) -> None:
    program = "import sys; open(sys.argv[1], 'wb').write(sys.stdin.buffer.read())"
    python(program, str(tmp_path / "got")).send(b'{"event": "done"}', NEVER)
    assert json.loads((tmp_path / "got").read_bytes()) == {"event": "done"}


def test_a_message_larger_than_a_pipe_needs_no_reader() -> None:
    python("pass").send(b"x" * 1_000_000, NEVER)


def test_a_flood_of_output_blocks_nobody() -> None:
    python("print('noise' * 200_000)").send(b"", NEVER)


def test_a_hostile_argument_is_one_argument_and_no_shell_reads_it(tmp_path: Path) -> None:
    name = f'"; touch {tmp_path / "pwned"}; $(touch {tmp_path / "pwned"})\n-rf'
    program = "import sys; open(sys.argv[1], 'w').write(sys.argv[2])"
    python(program, str(tmp_path / "got"), name).send(b"", NEVER)
    assert (tmp_path / "got").read_text() == name
    assert not (tmp_path / "pwned").exists()


def test_a_failure_says_what_the_command_said() -> None:
    with pytest.raises(OSError, match="ended with 3: no such calendar"):
        python("import sys; print('no such\\ncalendar'); sys.exit(3)").send(b"", NEVER)


def test_a_command_that_is_not_there_is_an_error_and_not_a_crash() -> None:
    with pytest.raises(OSError, match="/nowhere/hook"):
        Hook(["/nowhere/hook"], 1.0).send(b"", NEVER)


def test_a_hook_that_takes_too_long_is_ended_with_its_children(tmp_path: Path) -> None:
    script = 'sleep 60 & echo $! > "$0"; wait'
    with pytest.raises(OSError, match="was ended, because 1 s are over"):
        Hook(["/bin/sh", "-c", script, str(tmp_path / "pid")], seconds=1.0).send(b"", NEVER)
    child = int((tmp_path / "pid").read_text())
    while not gone(child):
        time.sleep(0.01)


def test_a_hook_does_not_outlive_a_daemon_that_stops() -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(OSError, match="because the daemon stops"):
        Hook(["/bin/sleep", "60"], seconds=60).send(b"", stop)


def test_a_hook_that_ignores_sigterm_is_killed() -> None:
    with pytest.raises(OSError, match="s are over"):
        Hook(["/bin/sh", "-c", "trap '' TERM; while :; do sleep 1; done"], 0.5).send(b"", NEVER)


@pytest.mark.parametrize(("command", "seconds"), [("exit 0", 60), ("exec sleep 60", 0.1)])
@pytest.mark.parametrize("can_wait_without_reaping", [True, False])  # Python 3.12 on macOS cannot
def test_a_group_is_signalled_only_while_its_number_cannot_be_another_s(
    monkeypatch: pytest.MonkeyPatch, command: str, seconds: float, can_wait_without_reaping: bool
) -> None:
    """It is used again once the leader is reaped and no child is left."""
    if not can_wait_without_reaping:
        monkeypatch.delattr(os, "waitid")
    signalled = []
    killpg = os.killpg

    def signal_group(leader: int, number: int) -> None:
        signalled.append(psutil.pid_exists(leader))
        killpg(leader, number)

    monkeypatch.setattr(os, "killpg", signal_group)
    with pytest.raises(OSError, match="over") if seconds < 1 else contextlib.nullcontext():
        Hook(["/bin/sh", "-c", command], seconds).send(b"", NEVER)
    assert signalled
    assert all(signalled)


def test_a_child_that_a_hook_leaves_behind_is_ended(tmp_path: Path) -> None:
    program = (
        "import subprocess, sys\n"
        "open(sys.argv[1], 'w').write(str(subprocess.Popen(['sleep', '60']).pid))"
    )
    python(program, str(tmp_path / "pid")).send(b"", NEVER)
    child = int((tmp_path / "pid").read_text())
    while not gone(child):
        time.sleep(0.01)
