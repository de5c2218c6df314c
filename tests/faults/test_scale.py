"""Rows F19 and F112: very many files at once, and logs over the years."""

from __future__ import annotations

import os
import sqlite3
import time
from contextlib import closing

import psutil
import pytest

from daemon.reporting.event_log import EventLog, open_logs
from tests.faults.conftest import MakeDaemon
from tests.kit.daemon_process import wait_until
from tests.kit.fault_daemon import FaultDaemon

_MEMORY_LIMIT = 150_000_000  # bytes, for the daemon's own process


def _admitted(daemon: FaultDaemon) -> int:
    path = daemon.config.paths.state / "ledger.db"
    if not path.exists():
        return 0
    with closing(sqlite3.connect(path, timeout=30)) as ledger:
        try:
            return int(ledger.execute("SELECT COUNT(*) FROM jobs").fetchone()[0])
        except sqlite3.OperationalError:
            return 0  # it is being made


def _flood(daemon: FaultDaemon, files: int) -> tuple[float, int]:
    """Admit that many files at once; return files a second and the daemon's peak memory."""
    for number in range(files):
        os.close(os.open(daemon.config.paths.inbox / f"{number:06d}.wav", os.O_CREAT | os.O_WRONLY))
    process = psutil.Process(daemon.start().pid)
    begun = time.monotonic()
    peak = 0

    def all_are_in() -> bool:
        nonlocal peak
        peak = max(peak, process.memory_info().rss)
        time.sleep(0.2)
        return _admitted(daemon) >= files

    wait_until(all_are_in, "all were admitted", seconds=1500)
    return files / (time.monotonic() - begun), peak


def _checked(daemon: FaultDaemon, files: int) -> None:
    rate, peak = _flood(daemon, files)
    print(f"\n{files} files: {rate:.0f} admitted a second, {peak / 1e6:.0f} MB at most")
    assert peak < _MEMORY_LIMIT


_FLOODED = {"watch": {"empty_seconds": 0.0, "rescan_seconds": 1.0}}


def test_thousands_of_files_at_once_f19(make: MakeDaemon) -> None:
    _checked(make(_FLOODED), 3_000)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_a_hundred_thousand_files_at_once_f19(make: MakeDaemon) -> None:
    _checked(make(_FLOODED), 100_000)


def test_logs_are_rotated_and_few_are_kept_f112(
    daemon: FaultDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("daemon.reporting.event_log._ROTATION", "20 KB")
    open_logs(daemon.config.paths.logs, echo=False)
    event_log = EventLog()
    for number in range(3000):
        event_log.info("test", f"line {number} of a flood")
    logs = list(daemon.config.paths.logs.iterdir())
    assert len(logs) <= 2 * 8
    assert sum(log.stat().st_size for log in logs) < 16 * 30_000
