"""Rows F118 to F122: faults that last, and defects at a start: no spin, no second count, no end."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.domain.job import Stage, StageRecord
from daemon.files.state_folder import TEMP_PREFIX
from daemon.ledger.ledger import Ledger
from tests.faults.conftest import MakeDaemon
from tests.kit.fault_daemon import FaultDaemon
from tests.kit.tracing import needs_strace

_FIRST = Path("jobs") / "1"


def _ledger(daemon: FaultDaemon) -> Path:
    return daemon.config.paths.state / "ledger.db"


def _record(daemon: FaultDaemon, stage: Stage) -> StageRecord:
    with closing(Ledger(_ledger(daemon), read_only=True)) as ledger:
        return ledger.record(1, stage)


def _fault(daemon: FaultDaemon, call: str, when: str, error: str, name: str = "") -> list[str]:
    """The options of a fault in the first job's folder."""
    return ["--fault", f"{call}:{when}:{error}:{daemon.config.paths.state / _FIRST / name}"]


# F118: what follows an end may meet a fault; the end is stored once all the same


@pytest.mark.parametrize(
    ("stage", "call", "when", "name"),
    [
        pytest.param(Stage.ALIGN, "open", "2+", "aligned.jsonl", id="align"),
        pytest.param(Stage.DIARIZE, "unlink", "1+", "speakers.json", id="diarize"),
    ],
)
def test_an_attempt_that_failed_counts_once_f118(
    make: MakeDaemon, stage: Stage, call: str, when: str, name: str
) -> None:
    daemon = make({"speakers": {"mode": "voices"}})
    daemon.give("one.wav", "one", f"{stage} segv 1")
    ended = daemon.run_to_end(*_fault(daemon, call, when, "EMFILE", name), seconds=60)
    assert ended.returncode == 75, ended.stderr
    assert _record(daemon, stage).failures == 1
    daemon.drained()
    assert daemon.timing("one")["stages"][stage]["attempts"] == 2
    assert daemon.violations() == []


# F119: what is done beside the work, or after it, may fail


def test_what_cannot_be_cleared_away_is_delivered_all_the_same_f119(daemon: FaultDaemon) -> None:
    daemon.give("one.wav", "one")
    ended = daemon.run_to_end(*_fault(daemon, "list", "3+", "EIO"))  # two: to make its folder ready
    assert ended.returncode == 0, ended.stderr
    assert len(daemon.events("done")) == 1
    assert daemon.drained().violations() == []


def test_what_was_delivered_before_ends_where_nothing_can_be_cleared_away_f119(
    make: MakeDaemon,
) -> None:
    daemon = make({"output": {"source": "keep"}})
    path = daemon.give("one.wav", "one")
    daemon.drained()
    path.touch()
    fault = f"list:3+:EIO:{daemon.config.paths.state / 'jobs' / '2'}"
    ended = daemon.run_to_end("--fault", fault)
    assert ended.returncode == 0, ended.stderr
    assert daemon.events("unchanged")


def test_a_look_at_finished_recordings_that_fails_ends_nothing_f119(daemon: FaultDaemon) -> None:
    daemon.give("one.wav", "one")
    daemon.drained()
    daemon.give("two.wav", "two")
    ended = daemon.run_to_end(*_fault(daemon, "open", "1+", "EIO", "prepared.json"))
    assert ended.returncode == 0, ended.stderr
    assert daemon.violations() == []


def test_a_status_that_cannot_be_written_is_told_once_and_pauses_nothing_f119(
    daemon: FaultDaemon,
) -> None:
    """Every temporary file in the state folder itself meets a full disk; job folders do not."""
    prefix = daemon.config.paths.state / TEMP_PREFIX
    daemon.give("first.wav", "first")  # where results go is written down with it
    daemon.drained()
    daemon.program = daemon.running_with("--fault", f"open:4+:ENOSPC:{prefix}").program
    daemon.start()
    daemon.wait_for("status")
    daemon.give("one.wav", "one")
    daemon.wait_for("done", 2)
    assert len(daemon.events("status")) == 1
    assert not daemon.events("paused")


def test_a_delivery_and_a_quarantine_that_both_fail_pause_the_queue_f119(
    make: MakeDaemon, tmp_path: Path
) -> None:
    """done/ and failed/ are on one volume: each step's fault is all that there is to see of it."""
    away = tmp_path / "away"
    for name in ("done", "failed"):
        (away / name).mkdir(parents=True)
    daemon = make({"paths": {"done": str(away / "done"), "failed": str(away / "failed")}})
    daemon.give("good.wav", "a good one")
    daemon.give("bad.wav", "a bad one", "prepare bad_input")
    ended = daemon.run_to_end("--fault", f"mkdir:1+:EIO:{away}", seconds=60)
    assert ended.returncode == 75, ended.stderr
    assert len(daemon.events("paused")) == 1
    assert daemon.drained().violations() == []


# F120: the queue's database is locked, or its disk is full


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield


def test_a_locked_ledger_keeps_no_processor_busy_and_holds_up_no_stop_f120(
    daemon: FaultDaemon,
) -> None:
    gate = daemon.root / "gate"
    for name in "abcdefgh":
        daemon.give(f"{name}.wav", name, f"transcribe gate:{gate}")
    process = daemon.start()
    daemon.wait_for("prepared", 8)
    with _locked(_ledger(daemon)):
        gate.touch()
        daemon.wait_for("paused")
        assert daemon.cpu_share() < 0.3
        process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert daemon.drained().violations() == []


@needs_strace
def test_a_full_disk_under_the_ledger_keeps_no_processor_busy_f120(daemon: FaultDaemon) -> None:
    process = daemon.start()
    inject = ["-e", "trace=pwrite64", "-e", "inject=pwrite64:error=ENOSPC"]
    with subprocess.Popen(["strace", "-qq", "-f", "-o", "/dev/null", *inject, f"-p{process.pid}"]):
        daemon.give("one.wav", "one")
        daemon.wait_for("paused")
        assert daemon.cpu_share() < 0.3
        assert len(daemon.events("paused")) == 1
        daemon.end()
    assert daemon.drained().violations() == []


def test_a_delivery_that_the_ledger_cannot_store_counts_for_nothing_f120(
    daemon: FaultDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Or the recording would be given up after some days of a full disk."""

    def fail(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    daemon.give("one.wav", "one")
    with monkeypatch.context() as changed:
        changed.setattr(Ledger, "finish", fail)
        assert daemon.once().returncode == 75
    assert _record(daemon, Stage.PUBLISH).interruptions() == 0
    assert daemon.drained().violations() == []


def test_an_end_that_the_ledger_cannot_store_ends_a_drain_f120(
    daemon: FaultDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file's aligner waits for that end: nothing goes on by itself."""
    end = Ledger.end

    def fail(ledger: Ledger, job: int, record: StageRecord, *rest: Any) -> None:  # noqa: ANN401
        if record.stage is Stage.TRANSCRIBE:
            raise sqlite3.OperationalError("database or disk is full")
        end(ledger, job, record, *rest)

    daemon.give("one.wav", "one")
    with monkeypatch.context() as changed:
        changed.setattr(Ledger, "end", fail)
        assert daemon.once().returncode == 75
    assert daemon.drained().violations() == []


# F121: what an earlier stage wrote is damaged when the next one begins


def test_a_damaged_artefact_costs_its_file_attempts_and_not_the_daemon_f121(
    daemon: FaultDaemon,
) -> None:
    daemon.give("one.wav", "one", "transcribe hang 1")
    daemon.start()
    daemon.wait_for_start("transcribe")
    daemon.end()
    (daemon.config.paths.state / _FIRST / "prepared.json").write_text("{}")
    daemon.give("two.wav", "two")
    daemon.drained()
    assert daemon.delivered() == ["one", "two"]
    assert daemon.violations() == []


# F122: a stop is heeded while a stage that is deaf to everything is ended


def test_a_stop_does_not_wait_for_a_deaf_stage_f122(make: MakeDaemon) -> None:
    daemon = make({"limits": {"grace_seconds": 1000.0}})
    daemon.give("one.wav", "one", "prepare deaf 1")
    process = daemon.start()
    daemon.wait_for_start("prepare")
    assert daemon.call("cancel", "1").returncode == 0
    with pytest.raises(subprocess.TimeoutExpired):  # the next scan sees to it: the stage has grace
        process.wait(2.0)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert daemon.drained().violations() == []
