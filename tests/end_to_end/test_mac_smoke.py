"""scripts/mac_smoke.sh, with a fake launchd where a Mac has the real one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit.fakes.launchd_session import UID, fake_mac

SCRIPT = Path(__file__).parents[2] / "scripts" / "mac_smoke.sh"
AS_ON_A_MAC = f"""#!{sys.executable}
from daemon.__main__ import main
from daemon.commands import doctor
host = doctor.Host
doctor.Host = lambda: host("darwin", {UID})
raise SystemExit(main())
"""


def run(
    home: Path, monkeypatch: pytest.MonkeyPatch, *options: str
) -> subprocess.CompletedProcess[str]:
    (home / "bin").mkdir()
    (home / "bin" / "dropscribe").write_text(AS_ON_A_MAC)
    (home / "bin" / "dropscribe").chmod(0o755)
    with fake_mac(monkeypatch, scale=0.25):
        monkeypatch.setenv("PATH", f"{home / 'bin'}{os.pathsep}{os.environ['PATH']}")
        monkeypatch.setenv("HOME", str(home))
        monkeypatch.setenv("DROPSCRIBE", "dropscribe")
        command = ["sh", str(SCRIPT), *options]
        return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_whole_cycle_works_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run(tmp_path, monkeypatch, "--only", "smoke")
    assert done.returncode == 0, done.stdout + done.stderr
    (item,) = json.loads(done.stdout)["items"]
    assert item["verdict"] == "proved", item
    assert item["found"]["words"] > 0
    assert not list((tmp_path / "Library" / "LaunchAgents").iterdir())
    assert not list(tmp_path.glob("dropscribe-*"))


def test_an_installed_service_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plist = tmp_path / "Library" / "LaunchAgents" / "local.dropscribe.plist"
    plist.parent.mkdir(parents=True)
    plist.write_text("DROPSCRIBE_AGENT")
    (item,) = json.loads(run(tmp_path, monkeypatch, "--only", "smoke").stdout)["items"]
    assert item["verdict"] == "could not"
    assert "dropscribe uninstall" in item["reason"]
    assert plist.read_text() == "DROPSCRIBE_AGENT"


def test_without_a_program_it_says_what_to_do_and_leaves_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"HOME": str(tmp_path), "DROPSCRIBE": str(tmp_path / "none")}
    refused = subprocess.run(
        ["sh", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 1
    assert "scripts/demo.sh" in refused.stderr
    assert list(tmp_path.iterdir()) == []
