"""An inbox that does not answer: a privacy prompt is open, or its server is away.

What blocks is a stand-in: the daemon's call to list the folder first opens a FIFO, in the kernel,
until a test writes to it. The rest is the real daemon with fake stages.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from tests.kit.daemon_process import DaemonProcess, Json, running


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    return tmp_path / "d" / "inbox"


def _daemon(tmp_path: Path, when: str) -> DaemonProcess:
    """Its looks into the inbox block from that number on (see shim.py), and count as such soon."""
    daemon = DaemonProcess.faked(tmp_path / "d", {"watch": {"rescan_seconds": 0.5}})
    inbox = daemon.config.paths.inbox
    os.mkfifo(f"{inbox}.fifo")
    return daemon.running_with("--fault", f"list:{when}:BLOCK:{inbox}", "--inbox-seconds", "0.5")


def _status(daemon: DaemonProcess) -> Json:
    status: Json = json.loads((daemon.config.paths.state / "status.json").read_bytes())
    return status


def _is_blocked(daemon: DaemonProcess) -> None:
    (paused,) = daemon.wait_for("paused")
    assert "does not answer" in paused["reason"]
    daemon.wait_until(lambda: _status(daemon)["state"] == "paused", "the status said so")
    assert str(daemon.config.paths.inbox) in _status(daemon)["reason"]


def _answer(daemon: DaemonProcess) -> None:
    """Somebody clicks, or the server is back."""
    os.close(os.open(f"{daemon.config.paths.inbox}.fifo", os.O_WRONLY))


@pytest.mark.parametrize("when", ["1", "3+"])
def test_a_blocked_look_neither_hides_the_daemon_nor_keeps_it_from_ending(
    tmp_path: Path, when: str
) -> None:
    """The first look of all comes before the loop, the third one after it has begun."""
    with running(_daemon(tmp_path, when)) as daemon:
        _is_blocked(daemon)
        assert _status(daemon)["pid"] == daemon.processes[-1].pid
        daemon.processes[-1].send_signal(signal.SIGTERM)
        assert daemon.processes[-1].wait(30) == 0


@pytest.mark.parametrize("when", ["1", "4"])
def test_when_the_folder_answers_at_last_what_was_dropped_meanwhile_is_delivered(
    tmp_path: Path, when: str
) -> None:
    with running(_daemon(tmp_path, when)) as daemon:
        _is_blocked(daemon)
        daemon.drop(b"a recording", "a.wav")
        _answer(daemon)
        daemon.wait_for("resumed")
        daemon.wait_for("done")
        assert daemon.delivered() == ["a"]


def test_a_file_at_work_is_finished_while_the_inbox_is_blocked_or_goes_on_later(
    tmp_path: Path,
) -> None:
    gate = tmp_path / "gate"
    faked = _daemon(tmp_path, "6+").acting(transcribe=f"gate:{gate}")
    inbox = faked.config.paths.inbox
    faked = faked.running_with("--fault", f"list:12:BLOCK:{inbox}", "--inbox-seconds", "0.5")
    with running(faked) as daemon:
        daemon.drop(b"a recording", "a.wav")
        daemon.wait_until(lambda: "transcribe" in daemon.working_on(), "it was at work")
        _is_blocked(daemon)
        gate.touch()
        daemon.wait_for("transcribed")  # the loop takes the stage's answer
        _answer(daemon)
        daemon.wait_for("done")


def test_a_run_to_the_end_gives_up_instead_of_waiting(tmp_path: Path) -> None:
    command = _daemon(tmp_path, "1").command("run", "--once")
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 75
    assert "does not answer" in ended.stderr
