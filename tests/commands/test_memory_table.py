"""`dropscribe models plan`: what fits which machine, and which of it is the default."""

from __future__ import annotations

import json
from pathlib import Path

from daemon.domain.transcript import Json
from tests.kit.daemon_process import DaemonProcess


def _of(table: list[Json], machine: str, model: str, bits: int = 16) -> Json:
    (row,) = (
        row
        for row in table
        if (row["machine"], row["model"], row["decoder_bits"]) == (machine, model, bits)
    )
    return row


def test_the_table_has_every_mac_and_marks_what_does_not_fit(tmp_path: Path) -> None:
    daemon = DaemonProcess.on(tmp_path)
    lines = daemon.call("models", "plan", "--json").stdout.splitlines()
    table = [json.loads(line) for line in lines]
    assert not _of(table, "8 GB", "large-v3")["fits"]
    assert _of(table, "8 GB", "large-v3-turbo")["default"]
    for gib in (16, 24, 32, 36, 48, 64, 96, 128):
        row = _of(table, f"{gib} GB", "large-v3")
        assert row["default"]
        assert row["fits"]
    wide, narrow = (_of(table, "16 GB", "large-v3", bits) for bits in (16, 8))
    assert narrow["weights_gb"] < wide["weights_gb"] - 0.7
    assert narrow["rows"] > wide["rows"]
    assert _of(table, "this machine", "large-v3")["device"] == "cpu"


def test_the_table_for_a_person_says_what_its_marks_mean(tmp_path: Path) -> None:
    said = DaemonProcess.on(tmp_path).call("models", "plan").stdout
    assert "swapping" in said
    assert " !8 GB" in said
    assert "* 16 GB" in said
