"""The compiled fake stages do what the recording asks, so that a soak with them means something."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.kit import fake_commands, fast_stage
from tests.kit.fault_daemon import FaultDaemon

_FORGIVEN = ("abort", "defect", "leave", "no_result", "segv", "truncated_result")
pytestmark = pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")


def test_compiled_stages_work_and_misbehave_as_asked(
    daemon: FaultDaemon, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fake_commands, "START", (str(fast_stage.compiled(tmp_path)), "5"))
    for length in (0, 55, 56, 64, 3000):  # of what is digested: where its padding changes
        daemon.give(f"{length}.wav", f"said {'x' * length}")
    for way in _FORGIVEN:
        daemon.give(f"{way}.wav", f"{way} was said", f"transcribe {way} 1")
    daemon.give("bad.wav", "bad was said", "prepare bad_input")
    daemon.give("late.wav", "late was said", "align abort_at_exit")
    assert daemon.drained().violations() == []
    assert daemon.failed_names() == ["bad.wav"]
    failures = daemon.events("retrying")
    assert sorted(failure["name"] for failure in failures) == [f"{way}.wav" for way in _FORGIVEN]
