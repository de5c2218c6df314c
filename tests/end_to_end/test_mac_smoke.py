"""scripts/mac_smoke.sh, with a fake launchd where a Mac has the real one."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.fakes.launchd_session import UID, fake_mac

SCRIPT = Path(__file__).parents[2] / "scripts" / "mac_smoke.sh"
AS_ON_A_MAC = f"""#!{sys.executable}
from daemon.__main__ import main
from daemon.commands import service
host = service.Host
service.Host = lambda: host("darwin", {UID})
raise SystemExit(main())
"""


def run(home: Path, monkeypatch: pytest.MonkeyPatch) -> subprocess.CompletedProcess[str]:
    (home / "bin").mkdir()
    for name, text in (("dropscribe", AS_ON_A_MAC), ("id", f"#!/bin/sh\necho {UID}\n")):
        (home / "bin" / name).write_text(text)
        (home / "bin" / name).chmod(0o755)
    with fake_mac(monkeypatch, scale=0.25):
        monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("DROPSCRIBE", "dropscribe")
        return subprocess.run(["sh", str(SCRIPT)], capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_five_steps_work_and_leave_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(tmp_path, monkeypatch)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "All five steps worked" in done.stdout
    left = [path.name for path in tmp_path.iterdir()]
    assert sorted(left) == ["Library", "bin"]
    assert list((tmp_path / "Library" / "LaunchAgents").iterdir()) == []


def test_an_installed_service_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plist = tmp_path / "Library" / "LaunchAgents" / "local.dropscribe.plist"
    plist.parent.mkdir(parents=True)
    plist.write_text("somebody's")
    refused = run(tmp_path, monkeypatch)
    assert refused.returncode == 1
    assert "dropscribe uninstall" in refused.stderr
    assert plist.read_text() == "somebody's"


def test_without_a_program_it_says_what_to_do_and_leaves_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "DROPSCRIBE": str(tmp_path / "none")}
    refused = subprocess.run(
        ["sh", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "scripts/demo.sh" in refused.stderr
    assert list(tmp_path.iterdir()) == []
