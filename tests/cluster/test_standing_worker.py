"""`dropscribe lend --scheduler … --install`: a worker that stands, under launchd and systemd."""

from __future__ import annotations

import plistlib
import sys
from pathlib import Path

import pytest

from daemon.commands import lend
from daemon.service.manager import Host, lend_spec
from launchd.systemd_unit import SystemdUnit, unit_text
from tests.kit import command_line
from tests.kit.daemon_process import DaemonProcess
from tests.kit.fakes.launchd_session import UID, fake_mac

NOBODY = "tcp://127.0.0.1:9"  # no scheduler: the worker tries again and again


def test_it_is_installed_stands_without_a_scheduler_and_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = DaemonProcess.on(tmp_path)
    monkeypatch.setattr(lend, "Host", lambda: Host("darwin", UID, tmp_path))
    agent = tmp_path / "Library/LaunchAgents/local.dropscribe.lend.plist"
    with fake_mac(monkeypatch, 0.1) as session:
        installed = daemon.call("lend", "--scheduler", NOBODY, "--install")
        assert installed.returncode == 0, installed.stderr
        assert NOBODY in installed.stdout
        plist = plistlib.loads(agent.read_bytes())
        program = [sys.executable, "-P", "-m", "daemon", "--config", str(tmp_path / "config.toml")]
        assert plist["ProgramArguments"] == [*program, "lend", "--scheduler", NOBODY]
        assert plist["KeepAlive"] is True
        assert session.pid() is not None  # it goes on trying
        removed = daemon.call("lend", "--uninstall")
        assert removed.returncode == 0, removed.stderr
        assert session.pid() is None
    assert not agent.exists()


def test_its_unit_is_another_one_than_the_daemons(tmp_path: Path) -> None:
    daemon = DaemonProcess.on(tmp_path)
    spec = lend_spec(tmp_path / "config.toml", daemon.config, ("--scheduler", NOBODY), tmp_path)
    assert SystemdUnit(spec, tmp_path).file.path == tmp_path / "dropscribe.lend.service"
    assert f'"lend" "--scheduler" "{NOBODY}"' in unit_text(spec)
    assert "Restart=always" in unit_text(spec)


def test_a_worker_needs_to_be_told_for_whom(tmp_path: Path) -> None:
    refused = command_line.call("lend", "--install")
    assert refused.returncode == 2
    assert "say its --scheduler" in refused.stderr
