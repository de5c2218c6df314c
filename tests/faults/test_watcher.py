"""Rows F21 to F33: events are doorbells, scans are the truth."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import MakeDaemon
from tests.kit.daemon_process import wait_until
from tests.kit.fake_recording import recording
from tests.kit.fault_daemon import FaultDaemon
from tests.kit.tracing import needs_strace

pytestmark = pytest.mark.usefixtures("forked_stages")

_EVENTS = {"watch": {"events": True, "rescan_seconds": 0.5}}


@pytest.mark.parametrize("events", [True, False], ids=["events", "rescan-only"])
def test_an_inbox_that_is_deleted_and_made_again_is_watched_again_f21_f33(
    make: MakeDaemon, events: bool
) -> None:
    daemon = make({"watch": {"events": events}})
    daemon.start()
    daemon.give("before.wav", "before")
    daemon.wait_for("done")
    daemon.config.paths.inbox.rmdir()
    daemon.wait_for("paused")
    daemon.config.paths.inbox.mkdir()
    daemon.give("after.wav", "after")
    daemon.wait_for("done", 2)
    assert daemon.events("resumed")
    daemon.end()
    assert daemon.violations() == []


def test_an_inbox_that_is_renamed_away_and_replaced_f22(make: MakeDaemon) -> None:
    daemon = make(_EVENTS)
    daemon.start()
    inbox = daemon.config.paths.inbox
    inbox.rename(inbox.with_name("moved-away"))
    inbox.mkdir()
    (inbox.with_name("moved-away") / "not-ours.wav").write_bytes(recording("not ours"))
    daemon.give("ours.wav", "ours")
    daemon.wait_for("done")
    daemon.end()
    assert daemon.violations() == []


def test_a_missing_inbox_is_made_or_waited_for_f23(make: MakeDaemon) -> None:
    daemon = make()
    daemon.config.paths.inbox.rmdir()
    daemon.start()
    wait_until(daemon.config.paths.inbox.is_dir, "the inbox was made")
    daemon.give("first.wav", "first")
    daemon.wait_for("done")


def test_events_that_were_lost_in_a_flood_cost_nothing_f25(make: MakeDaemon) -> None:
    """A stopped daemon's event queue overflows: the scan finds everything all the same."""
    daemon = make(_EVENTS)
    process = daemon.start()
    daemon.give("one.wav", "one")
    daemon.wait_for("done")
    limit = int(Path("/proc/sys/fs/inotify/max_queued_events").read_text())
    process.send_signal(signal.SIGSTOP)
    inbox = daemon.config.paths.inbox
    for number in range(limit // 2 + 100):  # two events each
        os.close(os.open(inbox / f"x{number}.txt", os.O_CREAT | os.O_WRONLY))
    daemon.give("two.wav", "two")
    process.send_signal(signal.SIGCONT)
    daemon.wait_for("done", 2)
    assert process.poll() is None


@needs_strace
def test_no_room_for_watches_means_rescans_and_status_says_so_f28(make: MakeDaemon) -> None:
    """EMFILE from inotify_init1, as at fs.inotify.max_user_instances."""
    daemon = make(_EVENTS)
    daemon.give("one.wav", "one")
    strace = ["strace", "-f", "-qq", "-o", "/dev/null", "-e", "trace=inotify_init,inotify_init1"]
    inject = ["-e", "inject=inotify_init,inotify_init1:error=EMFILE"]
    command = [*strace, *inject, *daemon.command("run")]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    try:
        daemon.wait_for("done")
        wait_until(
            lambda: "watching by rescan only" in daemon.call("status").stdout, "status said so"
        )
    finally:
        for child in psutil.Process(process.pid).children():
            child.terminate()
        process.wait(30)


def test_spurious_and_repeated_events_make_one_job_f32(make: MakeDaemon) -> None:
    daemon = make(_EVENTS)
    daemon.start()
    path = daemon.give("one.wav", "one", "transcribe slow 1")
    for _ in range(20):
        os.utime(daemon.config.paths.inbox)
        if path.exists():
            path.chmod(0o644)  # an event each
    daemon.wait_for("done")
    daemon.end()
    assert daemon.violations() == []


def test_a_wake_from_sleep_looks_at_the_inbox_at_once_f27_f104(make: MakeDaemon) -> None:
    """The wall clock outruns the monotonic one, as it does over a sleep; no event comes."""
    daemon = make({"watch": {"rescan_seconds": 60.0}})
    offset = daemon.root / "offset"
    daemon.program = daemon.running_with("--wall-offset", str(offset)).program
    daemon.give("first.wav", "first")
    daemon.start()
    daemon.wait_for("done")
    daemon.give("second.wav", "second", "transcribe slow 1")
    offset.write_text("3600")
    poke(daemon)
    daemon.wait_for("woke")
    daemon.wait_for("done", 2)


def poke(daemon: FaultDaemon) -> None:
    """Let the daemon look up: its own scan is a minute away. (A stop and a start would do, too.)"""
    process = daemon.processes[-1]
    process.send_signal(signal.SIGSTOP)
    process.send_signal(signal.SIGCONT)
