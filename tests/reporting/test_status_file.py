"""Status.json, written when something changes, and not more often than it must."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path
from typing import Any

from daemon.files.state_folder import STATUS
from daemon.reporting.status_file import StatusFile


def _read(folder: Path) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((folder / STATUS).read_bytes())
    return data


def test_the_first_beat_has_every_field(tmp_path: Path) -> None:
    StatusFile(tmp_path).beat(0.0)
    told = _read(tmp_path)
    assert told["pid"] == os.getpid()
    assert (told["state"], told["reason"], told["working_on"]) == ("starting", "", [])
    assert {"version", "started", "updated", "watcher"} <= told.keys()


def test_changes_are_written_at_most_once_a_second(tmp_path: Path) -> None:
    status = StatusFile(tmp_path)
    status.write("idle", "", "", [], 10.0)
    status.write("working", "", "", [], 10.5)
    assert _read(tmp_path)["state"] == "idle"
    assert status.due() == 11.0
    status.write("working", "", "", [], 11.0)
    assert _read(tmp_path)["state"] == "working"
    assert status.due() == math.inf


def test_no_change_is_no_write(tmp_path: Path) -> None:
    status = StatusFile(tmp_path)
    status.write("idle", "", "", [], 10.0)
    (tmp_path / STATUS).unlink()
    status.write("idle", "", "", [], 20.0)
    assert not (tmp_path / STATUS).exists()
    status.beat(21.0)
    assert _read(tmp_path)["state"] == "idle"


def test_a_beat_tells_the_newest(tmp_path: Path) -> None:
    status = StatusFile(tmp_path)
    status.write("idle", "", "", [], 10.0)
    status.write("working", "", "", [], 10.2)
    status.beat(10.3)
    assert _read(tmp_path)["state"] == "working"
    assert status.due() == math.inf
