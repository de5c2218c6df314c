"""What a killed daemon left behind is found, and nothing else is touched."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from daemon.config.settings import Paths
from daemon.domain.job import Candidate, Identity, Stage
from daemon.ledger.ledger import Ledger
from daemon.reporting.event_log import EventLog
from daemon.supervisor import crash_recovery
from tests.kit.daemon_process import (
    configured,
    has_ended,
    signal_each,
    wait_until,
    working_in,
)

_SLEEPER = "import time; time.sleep(60)"


def _orphan(folder: Path, *arguments: str) -> psutil.Process:
    """A process whose parent is gone, working in `folder`."""
    code = (
        "import subprocess, sys; print(subprocess.Popen([sys.executable, '-c', sys.argv[1],"
        " *sys.argv[2:]], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)"
    )
    command = [sys.executable, "-c", code, _SLEEPER, *arguments]
    said = subprocess.run(command, cwd=folder, capture_output=True, check=True).stdout
    return psutil.Process(int(said))


@pytest.fixture
def paths(tmp_path: Path) -> Iterator[Paths]:
    paths = configured(tmp_path, {}).paths
    (paths.state / crash_recovery.JOBS / "1").mkdir(parents=True)
    paths.outbox.mkdir()
    yield paths
    signal_each(working_in(tmp_path), signal.SIGKILL)


def test_a_stage_that_outlived_its_daemon_is_ended(paths: Paths) -> None:
    left = _orphan(paths.state / crash_recovery.JOBS / "1", "daemon.stages.align")
    crash_recovery.sweep_orphans(paths.state)
    wait_until(lambda: has_ended(left), "it had ended")


def test_nobody_elses_process_is_ended(paths: Paths, tmp_path: Path) -> None:
    another_daemons = _orphan(tmp_path, "daemon.stages.align")
    a_persons = _orphan(paths.state / crash_recovery.JOBS / "1", "not a stage")
    crash_recovery.sweep_orphans(paths.state)
    assert another_daemons.is_running()
    assert a_persons.is_running()


def test_half_written_files_are_removed_and_others_kept(paths: Paths) -> None:
    half, whole = paths.outbox / ".dropscribe-ab12.tmp", paths.outbox / "meeting.txt"
    half.touch()
    whole.touch()
    crash_recovery.sweep_folders(paths.outbox, paths.outbox / "nothing")
    assert list(paths.outbox.iterdir()) == [whole]


def test_large_files_of_jobs_that_ended_are_removed(paths: Paths) -> None:
    jobs = paths.state / crash_recovery.JOBS
    with closing(Ledger(paths.state / crash_recovery.LEDGER)) as ledger:
        for number in (1, 2):
            one = Candidate(Path(f"/in/{number}.wav"), Identity(number, 1, 1, 1))
            ledger.admit([one], 1.0)
            (jobs / str(number)).mkdir(exist_ok=True)
            (jobs / str(number) / "audio.npy").touch()
        ledger.move(1, Stage.DONE, 2.0)
        crash_recovery.sweep_jobs(jobs, ledger)
    assert not (jobs / "1" / "audio.npy").exists()
    assert (jobs / "2" / "audio.npy").exists()


def test_a_damaged_ledger_is_set_aside_and_a_new_one_made(paths: Paths) -> None:
    ledger = paths.state / crash_recovery.LEDGER
    ledger.write_bytes(b"this is no database" * 500)
    with closing(crash_recovery.open_ledger(paths, EventLog())) as opened:
        assert opened.active() == []
    aside = [path.name for path in paths.state.iterdir() if "corrupt" in path.name]
    assert any(name.startswith("ledger.db.corrupt-") for name in aside)
    assert os.listdir(paths.state / crash_recovery.JOBS) == []  # noqa: PTH208 - names are enough
