"""Which model a machine gets that was told nothing, and that it says why."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.config import default_model
from daemon.config.settings import Transcribe
from tests.kit.fault_daemon import FaultDaemon

_GIB = 1 << 30


@pytest.mark.parametrize(("gib", "model"), [(8, "large-v3-turbo"), (16, "large-v3")])
def test_below_16_gb_turbo_is_the_default(
    gib: int, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default_model, "total_memory", lambda: gib * _GIB)
    assert Transcribe().model == model
    assert Transcribe(model="auto").model == model
    assert Transcribe(model="small").model == "small"
    assert default_model.default_model(int(gib * 0.95 * _GIB)) == model  # as Linux counts it


def test_a_small_machine_says_so_in_its_log_and_status(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(default_model, "total_memory", lambda: 8 * _GIB)
    daemon = FaultDaemon.on(tmp_path, {"transcribe": {"model": "large-v3-turbo"}}).acting()
    daemon.drained()
    (told,) = daemon.events("small_memory")
    assert "this one has 8" in told["message"]
    assert told["message"] in daemon.call("status").stdout


def test_nothing_is_said_where_there_is_no_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(default_model, "total_memory", lambda: 16 * _GIB)
    assert default_model.about_small_memory("large-v3") == ""
