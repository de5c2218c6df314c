"""What becomes of `demo` when it is stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.commands import demo


def test_an_interrupted_demo_ends_its_daemon_and_says_130(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Ctrl-C comes while the daemon, here a process that only waits, is at work."""
    started: list[subprocess.Popen[bytes]] = []
    real = subprocess.Popen

    def waiting(command: list[str]) -> subprocess.Popen[bytes]:
        assert command[-2:] == ["run", "--verbose"]
        started.append(real([sys.executable, "-c", "import time; time.sleep(600)"]))
        return started[0]

    def interrupted(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(demo.subprocess, "Popen", waiting)
    monkeypatch.setattr(demo.time, "sleep", interrupted)
    assert main(["demo", "--folder", str(tmp_path / "d"), "--backend", "ctranslate2"]) == 130
    assert "The demo was stopped." in capsys.readouterr().out
    assert started[0].poll() is not None
