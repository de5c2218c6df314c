"""index.html follows a real daemon's queue, in a process of its own."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.catalogue.queue_view import queue_view
from daemon.catalogue.updater import STOPPED, CatalogueUpdater
from daemon.files.daemon_lock import Lock
from daemon.files.state_folder import LEDGER, STATUS
from daemon.ledger.ledger import Ledger
from tests.kit.daemon_process import DaemonProcess, running, wait_until


def _index(daemon: DaemonProcess) -> str:
    path = daemon.output("index.html")
    return path.read_text("utf-8") if path.exists() else ""


def _daemon(tmp_path: Path, **output: object) -> DaemonProcess:
    return DaemonProcess.faked(tmp_path, {"output": {"index": True, **output}})


def test_the_index_lists_what_was_delivered_and_what_failed(tmp_path: Path) -> None:
    daemon = _daemon(tmp_path)
    daemon.drop(b"a recording", "memo.wav")
    daemon.once()
    assert re.findall(r'href="./([^"]*)"', _index(daemon)) == ["memo.html"]
    daemon.drop(b"another", "broken.wav")
    daemon.acting(prepare="bad_input").once()
    assert "broken.wav" in _index(daemon)
    assert "<code>dropscribe retry 2</code>" in _index(daemon)


def test_the_index_follows_a_running_daemon(tmp_path: Path) -> None:
    with running(_daemon(tmp_path)) as daemon:
        daemon.drop(b"a recording", "memo.wav")
        daemon.wait_until(lambda: ">memo<" in _index(daemon), "the recording was listed")
        daemon.wait_until(lambda: "state idle" in _index(daemon), "nothing was left to do")


def test_no_index_where_none_is_wanted(tmp_path: Path) -> None:
    daemon = DaemonProcess.faked(tmp_path, {"output": {"index": False}})
    daemon.drop(b"a recording", "memo.wav")
    daemon.once()
    assert daemon.delivered() == ["memo"]
    assert not daemon.output("index.html").exists()


def test_an_index_of_somebody_else_is_complained_of_once(tmp_path: Path) -> None:
    daemon = _daemon(tmp_path)
    daemon.config.paths.outbox.mkdir()
    daemon.output("index.html").write_text("my own")
    with running(daemon):
        daemon.drop(b"a recording", "memo.wav")
        daemon.wait_for("done")
        daemon.wait_for("index_failed")
    assert daemon.output("index.html").read_text() == "my own"
    assert len(daemon.events("index_failed")) == 1


def test_the_last_update_says_that_the_daemon_ends(tmp_path: Path) -> None:
    script = 'echo "$@" >> calls; echo idle'
    updater = CatalogueUpdater(["sh", "-c", f"cd {tmp_path}; {script}", "sh"], pytest.fail)
    updater.on_event()
    calls = tmp_path / "calls"
    wait_until(calls.exists, "the first update had run")
    updater.close(60.0)
    assert calls.read_text().splitlines()[-1] == STOPPED


def test_a_daemon_that_runs_no_more_is_stopped_whoever_has_its_number_now_f70(
    tmp_path: Path,
) -> None:
    Ledger(tmp_path / LEDGER).close()
    status = {"state": "idle", "reason": "", "working_on": [], "pid": os.getpid()}
    (tmp_path / STATUS).write_text(json.dumps(status))
    with Lock(tmp_path):
        assert _state(tmp_path) == "idle"
    assert _state(tmp_path) == "stopped"


def _state(folder: Path) -> str:
    view = queue_view(folder, 0.0)
    assert view is not None
    return view.state


def test_an_update_that_hangs_does_not_hold_up_the_end() -> None:
    command = [sys.executable, "-c", "import time; time.sleep(600)"]
    updater = CatalogueUpdater(command, lambda line: None)
    updater.on_event()
    started: Callable[[], object] = lambda: updater._child is not None  # noqa: E731
    wait_until(started, "the process was started")
    updater.close(0.1)
    child = updater._child
    assert child is not None
    assert child.wait(30) != 0
