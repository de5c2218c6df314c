"""Rows F37 to F49, F92: the ledger, the lock, poison files, faults of the machine, lost state."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.faults.conftest import MakeDaemon
from tests.kit.daemon_process import wait_until
from tests.kit.fake_recording import recording
from tests.kit.fault_daemon import FaultDaemon
from tests.kit.tracing import needs_strace


def _state(daemon: FaultDaemon) -> Path:
    return daemon.config.paths.state


# Poison files


def test_a_file_that_kills_the_daemon_is_quarantined_and_delays_nobody_f43(
    make: MakeDaemon,
) -> None:
    daemon = make({"limits": {"max_interruptions": 2}})
    daemon.give("a-poison.wav", "poison", "prepare kill_daemon")
    daemon.give("b.wav", "b")
    daemon.give("c.wav", "c")
    ends = [daemon.run_to_end().returncode for _ in range(3)]
    assert ends == [-signal.SIGKILL, -signal.SIGKILL, 0]
    assert daemon.error("a-poison.wav")["kind"] == "interrupted"
    assert daemon.violations() == []


def test_a_file_that_always_fails_waits_behind_the_others_f44(make: MakeDaemon) -> None:
    daemon = make({"limits": {"retry_seconds": 0.3}})
    daemon.give("a-bad.wav", "bad", "prepare defect")
    for number in range(4):
        daemon.give(f"good-{number}.wav", f"good {number}")
    daemon.drained()
    # Of the stage that it fails in: what the others are made into afterwards may take longer.
    prepared = [e["name"] for e in daemon.events() if e["event"] in ("prepared", "failed")]
    assert prepared[-1] == "a-bad.wav"
    assert len(daemon.events("retrying")) == 2
    assert daemon.violations() == []


# Faults of the machine


@pytest.mark.parametrize(
    ("misbehaviour", "reason"),
    [
        pytest.param("prepare disk_full 2", "disk is full", id="f45-disk-full"),
        pytest.param("transcribe no_model 2", "model is not on this machine", id="f54-no-model"),
    ],
)
def test_a_fault_of_the_machine_pauses_says_so_once_and_burns_no_attempt_f45_f54(
    daemon: FaultDaemon, misbehaviour: str, reason: str
) -> None:
    daemon.give("one.wav", "one", misbehaviour)
    daemon.start()
    daemon.wait_for("done")
    daemon.end()
    (paused,) = daemon.events("paused")
    assert reason in paused["reason"]
    assert len(daemon.events("resumed")) == 1
    stages = daemon.timing("one")["stages"]
    assert stages[misbehaviour.split(maxsplit=1)[0]]["attempts"] == 1
    assert daemon.violations() == []


def test_status_says_why_the_queue_is_paused_f45(make: MakeDaemon) -> None:
    daemon = make({"limits": {"min_free_mb": 10**9}})
    daemon.give("one.wav", "one")
    daemon.start()
    daemon.wait_for("paused")
    wait_until(lambda: "paused: only" in daemon.call("status").stdout, "status said so")
    told = json.loads(daemon.call("status", "--json").stdout)
    assert "limits.min_free_mb" in told["reason"]
    daemon.end()
    assert not daemon.events("failed")


# The lock


def test_a_second_daemon_gives_way_with_a_message_f41(daemon: FaultDaemon) -> None:
    daemon.start()
    second = daemon.run_to_end()
    assert second.returncode == 75
    assert "another dropscribe is running" in second.stderr
    assert "Traceback" not in second.stderr


def test_a_child_that_outlives_the_daemon_does_not_keep_the_lock_f42_f68(
    daemon: FaultDaemon,
) -> None:
    daemon.give("frozen.wav", "frozen", "prepare stop 1")
    daemon.start()
    wait_until(daemon.stages, "a stage was at work")
    wait_until(
        lambda: any(stage.status() == "stopped" for stage in daemon.stages()), "it had frozen"
    )
    daemon.kill()
    assert daemon.stages()  # a stopped process does not see the end of its stdin
    assert daemon.drained().violations() == []


# The database


def _zeros(path: Path) -> None:
    path.write_bytes(b"")


def _garbage(path: Path) -> None:
    path.write_bytes(b"garbage " * 4000)


def _one_bad_page(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)


def _newer(path: Path) -> None:
    with sqlite3.connect(path) as ledger:
        ledger.execute("PRAGMA user_version = 99")
    ledger.close()


@pytest.mark.parametrize(
    ("damage", "source"),
    [(_zeros, "archive"), (_garbage, "keep"), (_one_bad_page, "archive"), (_newer, "keep")],
)
def test_a_damaged_ledger_is_set_aside_and_finished_work_is_not_repeated_f39(
    make: MakeDaemon, damage: Callable[[Path], None], source: str
) -> None:
    daemon = make({"output": {"source": source}})
    for name in ("one", "two", "café\x1b"):
        daemon.give(f"{name}.wav", name)
    daemon.drained()
    delivered = daemon.delivered()
    _unfile(daemon, "one.wav")  # as if we had died between delivery and filing away
    for leftover in _state(daemon).glob("ledger.db-*"):
        leftover.unlink()
    damage(_state(daemon) / "ledger.db")
    daemon.give("three.wav", "three")
    daemon.drained()
    assert daemon.delivered() == sorted([*delivered, "three"])
    assert daemon.violations() == []
    if damage is not _zeros:
        assert list(_state(daemon).glob("ledger.db.corrupt-*"))


def _unfile(daemon: FaultDaemon, name: str) -> None:
    archived = daemon.config.paths.done / name
    if archived.exists():
        archived.rename(daemon.config.paths.inbox / name)


def test_a_state_folder_that_was_deleted_repeats_nothing_f39_f49(make: MakeDaemon) -> None:
    daemon = make({"output": {"source": "keep"}})
    daemon.give("kept.wav", "kept")
    daemon.drained()
    shutil.rmtree(_state(daemon))
    daemon.drained()
    assert daemon.delivered() == ["kept"]


def test_files_restored_from_a_backup_are_not_transcribed_again_f49(make: MakeDaemon) -> None:
    """Everything is copied to another machine: new inodes, new change times, same bytes."""
    daemon = make({"output": {"source": "keep"}})
    path = daemon.give("kept.wav", "kept")
    daemon.drained()
    copy = path.with_name("copy")
    shutil.copy2(path, copy)
    copy.replace(path)
    daemon.drained()
    assert daemon.delivered() == ["kept"]
    assert len(daemon.events("unchanged")) == 1


def test_a_memo_overtakes_a_book_that_is_being_decoded_and_one_that_waits(
    make: MakeDaemon,
) -> None:
    """Two books of 80 MB are begun or wait; one place is kept for what is short."""
    daemon = make({"limits": {"stall_seconds": 300.0}})
    for name in ("book one.wav", "book two.wav"):
        os.truncate(daemon.give(name, "a long book", "prepare hang 9"), 80_000_000)
    daemon.start()
    daemon.wait_until(lambda: "prepare" in daemon.working_on(), "a book is decoded")
    daemon.give("memo.wav", "a memo")
    daemon.wait_for("done")
    assert daemon.delivered() == ["memo"]
    daemon.end()


@pytest.mark.slow
def test_a_ledger_that_somebody_locks_is_waited_for_f38(daemon: FaultDaemon) -> None:
    daemon.give("one.wav", "one", "prepare slow 1")
    daemon.start()
    daemon.wait_for("queued")
    ledger = sqlite3.connect(_state(daemon) / "ledger.db", isolation_level=None)
    ledger.execute("BEGIN IMMEDIATE")
    time.sleep(7)  # longer than the daemon waits for a lock
    ledger.execute("ROLLBACK")
    ledger.close()
    daemon.wait_for("done")
    daemon.end()
    assert daemon.violations() == []


def test_a_disk_that_is_too_small_for_the_ledger_pauses_until_it_is_not_f37(
    make: MakeDaemon,
) -> None:
    """RLIMIT_FSIZE: SQLite cannot grow its log. (A real small disk is in test_fault_output.py.)"""
    daemon = make()
    daemon.give("one.wav", "one")
    daemon.drained()
    daemon.give("two.wav", "two")
    command = daemon.command("run", "--once")
    shell = ["bash", "-c", 'ulimit -f 24; exec "$@"', "bash", *command]
    limited = subprocess.run(shell, capture_output=True, check=False, timeout=60)
    assert limited.returncode in (0, 1, 75), limited.stderr
    assert daemon.drained().violations() == []


@pytest.mark.parametrize("after", ["transcript.json", "prepared.json", "audio.npy"])
def test_a_tidied_state_folder_costs_only_time(make: MakeDaemon, after: str) -> None:
    daemon = make()
    daemon.give("one.wav", "one", f"align gate:{daemon.root / 'gate'}")
    daemon.start()
    daemon.wait_for("transcribed")
    daemon.kill()
    (daemon.root / "gate").touch()
    wait_until(lambda: not daemon.stages(), "the stages had ended")
    (job,) = (_state(daemon) / "jobs").glob("[0-9]*")
    (job / after).unlink()
    assert daemon.drained().violations() == []


@needs_strace
def test_a_crash_between_new_bytes_and_their_transcript_never_yields_the_old_words_f08_f92(
    daemon: FaultDaemon,
) -> None:
    """The digest was stored, what follows was not: the old transcript must not count."""
    path = daemon.give("one.wav", "old words", "align slow 1")
    daemon.start()
    daemon.wait_for("transcribed")
    daemon.kill()
    daemon.dropped = [recording("new words")]
    path.write_bytes(daemon.dropped[0])
    unlink = ["-e", "trace=fdatasync", "-e", "inject=fdatasync:signal=KILL:when={}"]
    for number in (4, 6, 8):
        options = [part.format(number) for part in unlink]
        daemon.run_to_end(prefix=["strace", "-qq", "-o", "/dev/null", *options])
    assert daemon.drained().violations() == []
