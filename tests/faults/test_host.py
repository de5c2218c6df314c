"""Rows F102 to F117: clocks, signals, logs, descriptors, folders that come and go."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from tests.faults.conftest import MakeDaemon
from tests.kit.daemon_process import signal_each, wait_until
from tests.kit.fake_recording import recording
from tests.kit.fault_daemon import FaultDaemon
from tests.kit.tracing import needs_strace

_DAY = 86_400


@pytest.mark.parametrize("days", [3, -3])
def test_a_clock_that_jumps_changes_nothing_f102(make: MakeDaemon, days: int) -> None:
    daemon = make()
    offset = daemon.root / "offset"
    daemon.program = daemon.running_with("--wall-offset", str(offset)).program
    daemon.give("one.wav", "one", "prepare defect 1")
    daemon.start()
    daemon.wait_for("retrying")
    offset.write_text(str(days * _DAY))
    daemon.give("two.wav", "two", "align slow 1")
    daemon.wait_for("done", 2)
    daemon.end()
    assert daemon.timing("one")["total_seconds"] >= 0
    assert daemon.violations() == []


@pytest.mark.parametrize("seconds", [0, 4_000_000_000], ids=["1970", "2096"])
def test_absurd_modification_times_do_not_matter_f103(daemon: FaultDaemon, seconds: int) -> None:
    path = daemon.give("one.wav", "one")
    os.utime(path, (seconds, seconds))
    assert daemon.drained().violations() == []


def test_sleep_in_the_middle_of_a_job_burns_no_attempt_f104_f105(make: MakeDaemon) -> None:
    """The daemon and its stages stop for longer than the stall limit."""
    daemon = make({"limits": {"stall_seconds": 6.0}})
    gate = daemon.root / "gate"
    daemon.give("one.wav", "one", f"transcribe gate:{gate}")
    process = daemon.start()
    daemon.wait_until(lambda: daemon.working_on().get("transcribe", 0) > 0, "it was at work")
    tree = [psutil.Process(process.pid), *psutil.Process(process.pid).children()]
    signal_each(tree, signal.SIGSTOP)
    time.sleep(7)
    signal_each(reversed(tree), signal.SIGCONT)
    gate.touch()
    daemon.wait_for("done")
    daemon.end()
    assert not daemon.events("retrying")
    assert daemon.violations() == []


@pytest.mark.parametrize("stage", ["prepare", "transcribe", "align"])
def test_a_polite_stop_counts_for_nothing_and_ends_at_once_f106(
    make: MakeDaemon, stage: str
) -> None:
    daemon = make()
    daemon.give("one.wav", "one", f"{stage} hang 1")
    process = daemon.start()
    daemon.wait_for_start(stage)
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
    assert not daemon.stages()
    daemon.drained()
    assert daemon.timing("one")["stages"][stage]["attempts"] == 1
    assert daemon.violations() == []


def test_stopped_stages_delay_the_end_once_and_not_one_by_one_f106(make: MakeDaemon) -> None:
    """Frozen processes hear neither the end of their input nor SIGTERM."""
    daemon = make({"limits": {"grace_seconds": 100.0, "stall_seconds": 60.0}})
    gate = daemon.root / "gate"
    daemon.give("one.wav", "one", f"transcribe gate:{gate}")
    process = daemon.start()
    daemon.wait_until(lambda: daemon.working_on().get("transcribe", 0) > 0, "it was at work")
    signal_each(psutil.Process(process.pid).children(), signal.SIGSTOP)
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    assert not daemon.stages()
    gate.touch()
    assert daemon.drained().violations() == []


def test_a_kill_in_the_middle_of_a_polite_stop_loses_nothing_f107(daemon: FaultDaemon) -> None:
    daemon.give("one.wav", "one", "prepare hang 1")
    process = daemon.start()
    daemon.wait_for_start("prepare")
    process.send_signal(signal.SIGTERM)
    process.send_signal(signal.SIGKILL)
    process.wait(30)
    assert daemon.drained().violations() == []


def test_a_bad_configuration_is_told_once_and_without_a_traceback_f99_f108(
    daemon: FaultDaemon,
) -> None:
    config = daemon.root / "config.toml"
    good = config.read_text()
    config.write_text(good.replace("settle_seconds = 0.0", "settle_seconds = 'soon'\nsetle = 1"))
    bad = daemon.run_to_end()
    assert bad.returncode == 2
    assert "watch.settle_seconds" in bad.stderr
    assert "watch.setle: no such key; did you mean" in bad.stderr
    assert "Traceback" not in bad.stderr
    inside = daemon.config.paths.inbox / "outbox"
    config.write_text(good.replace(str(daemon.config.paths.outbox), str(inside)))
    nested = daemon.run_to_end()
    assert nested.returncode == 2
    assert "must not be the inbox or lie inside it" in nested.stderr


def test_a_log_folder_that_is_gone_stops_nothing_f111(daemon: FaultDaemon) -> None:
    daemon.start()
    shutil.rmtree(daemon.config.paths.logs)
    daemon.give("one.wav", "one")
    wait_until(lambda: daemon.delivered() == ["one"], "it was delivered")


def test_a_log_that_cannot_be_opened_stops_nothing_f111(daemon: FaultDaemon) -> None:
    daemon.config.paths.logs.write_text("a file where the log folder should be")
    daemon.give("one.wav", "one")
    assert daemon.run_to_end().returncode == 0
    assert daemon.violations() == []


def test_a_log_on_a_full_disk_stops_nothing_f111(daemon: FaultDaemon) -> None:
    daemon.config.paths.logs.mkdir()
    for name in ("daemon.log", "events.jsonl"):
        (daemon.config.paths.logs / name).symlink_to("/dev/full")
    daemon.give("one.wav", "one")
    assert daemon.run_to_end().returncode == 0
    assert daemon.violations() == []


def test_a_console_on_a_full_disk_stops_nothing_f111(daemon: FaultDaemon) -> None:
    """launchd opens our stderr on a file; that disk may be full, too."""
    daemon.give("one.wav", "one")
    with Path("/dev/full").open("wb") as full:
        ended = subprocess.run(
            daemon.command("run", "--once"), stdout=full, stderr=full, check=False, timeout=60
        )
    assert ended.returncode == 0
    assert daemon.violations() == []


@pytest.mark.parametrize("number", [1, 40])
def test_running_out_of_descriptors_for_a_while_costs_only_time_f113(
    make: MakeDaemon, number: int
) -> None:
    """Every open of ours fails, from the first or in the middle, until the daemon gives up."""
    daemon = make()
    daemon.give("one.wav", "one")
    daemon.give("bad.wav", "bad", "prepare bad_input")
    fault = f"open:{number}+:EMFILE:{daemon.config.paths.state}"
    assert daemon.run_to_end("--fault", fault).returncode in (0, 1, 75)
    assert daemon.drained().violations() == []


@pytest.mark.parametrize("error", ["EMFILE", "EIO"])
def test_a_transcript_that_cannot_be_read_ends_a_drain_f113(make: MakeDaemon, error: str) -> None:
    """Its aligner waits for that end: nothing goes on by itself."""
    daemon = make()
    daemon.give("one.wav", "one")
    transcript = daemon.config.paths.state / "jobs" / "1" / "transcript.json"
    ended = daemon.run_to_end("--fault", f"open:1+:{error}:{transcript}", seconds=30)
    assert ended.returncode == 75
    assert str(transcript) in ended.stderr
    assert daemon.drained().violations() == []


@needs_strace
@pytest.mark.parametrize("number", [3, 4])
def test_no_room_for_another_thread_ends_a_drain_in_good_order_f113(
    daemon: FaultDaemon, number: int
) -> None:
    """Threads are what asks folders that may not answer: before the loop, and in it."""
    daemon.give("one.wav", "one")
    inject = ["-e", "trace=clone,clone3", "-e", f"inject=clone,clone3:error=EAGAIN:when={number}+"]
    ended = daemon.run_to_end(prefix=["strace", "-qq", "-o", "/dev/null", *inject])
    assert ended.returncode == 75
    assert "no room for another process" in ended.stderr
    assert daemon.drained().violations() == []


@needs_strace
def test_no_room_for_another_process_pauses_f113(daemon: FaultDaemon) -> None:
    """EAGAIN from fork, as at the limit of processes."""
    daemon.give("one.wav", "one")
    calls = "fork,vfork,clone"
    prefix = ["strace", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"]
    inject = ["-e", f"inject={calls}:error=EAGAIN:when=1+"]
    ended = daemon.run_to_end(prefix=[*prefix, *inject])
    assert ended.returncode == 75
    assert "no room for another process" in ended.stderr
    daemon.drained()
    assert daemon.timing("one")["stages"]["prepare"]["attempts"] == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        pytest.param("EPERM", "macOS privacy settings", id="f110-eperm-is-privacy"),
        pytest.param("EACCES", "permission denied", id="eacces-is-permissions"),
    ],
)
def test_a_denied_inbox_pauses_with_its_own_remedy_f110(
    daemon: FaultDaemon, error: str, said: str
) -> None:
    daemon.give("one.wav", "one")
    fault = f"list:1+:{error}:{daemon.config.paths.inbox}"
    ended = daemon.run_to_end("--fault", fault)
    assert ended.returncode == 75
    assert said in ended.stderr
    assert daemon.drained().violations() == []


def test_a_logged_out_user_finds_the_queue_again_f114_f117(daemon: FaultDaemon) -> None:
    """SIGHUP at the end of a session is a polite stop."""
    daemon.give("one.wav", "one", "transcribe hang 1")
    process = daemon.start()
    daemon.wait_for_start("transcribe")
    process.send_signal(signal.SIGHUP)
    assert process.wait(30) == 0
    assert daemon.drained().violations() == []
    daemon.drop(recording("after"), "after.wav")
