"""Rows S21 and S22: a state folder that others may write, and commands on a damaged ledger."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from daemon.domain.job import Candidate, Identity
from daemon.ledger.ledger import Ledger
from daemon.service.checks import check_permissions
from tests.kit.fault_daemon import FaultDaemon


@pytest.mark.parametrize("mode", [0o777, 0o770])
def test_a_state_folder_that_others_may_write_is_refused_s21(
    daemon: FaultDaemon, mode: int
) -> None:
    state = daemon.config.paths.state
    state.mkdir()
    state.chmod(mode)
    daemon.give("one.wav", "one")
    refused = daemon.once()
    assert refused.returncode == 2
    assert f"chmod go-w {state}" in refused.stderr
    (finding,) = check_permissions(daemon.config)
    assert finding.remedy == f"chmod go-w {state}"
    state.chmod(0o755)
    assert list(check_permissions(daemon.config)) == []
    assert daemon.drained().violations() == []


@pytest.mark.parametrize("damage", ["noise", "a row"])
def test_a_command_on_a_damaged_ledger_says_so_s22(daemon: FaultDaemon, damage: str) -> None:
    state = daemon.config.paths.state
    state.mkdir(mode=0o700)
    path = state / "ledger.db"
    if damage == "noise":
        path.write_bytes(b"no database at all" * 500)
    else:
        _write_a_damaged_row(path)
    for arguments in (("status",), ("jobs",), ("show", "1")):
        told = daemon.call(*arguments)
        assert told.returncode == 1
        assert "is damaged" in told.stderr
        assert "dropscribe restart" in told.stderr
    assert daemon.drained().events("ledger_replaced")


def _write_a_damaged_row(path: Path) -> None:
    with closing(Ledger(path)) as ledger:
        ledger.admit([Candidate(Path("/in/one.wav"), Identity(1, 2, 3, 4))], 1.0)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE jobs SET size = 'large'")
        db.commit()
