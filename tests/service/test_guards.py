"""What an installation refuses, and what doctor says of folders that deny or block."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from msgspec.structs import asdict

from daemon.config.settings import Config, Paths
from daemon.errors import DropscribeError
from daemon.service import checks
from daemon.service.checks import check_folders, check_guarded, check_system
from daemon.service.guards import refuse_guarded
from daemon.service.manager import Host


def _host(home: Path, platform: str = "darwin") -> Host:
    return Host(platform, 501, home)


def _config(folder: Path, **other: Path) -> Config:
    paths = {key: folder / key for key in Paths.__struct_fields__} | other
    return Config(paths=Paths(**paths))


@pytest.mark.parametrize("place", ["Desktop", "Documents", "Downloads", "Library/Mobile Documents"])
def test_an_inbox_where_macos_guards_it_is_refused_with_the_remedy(
    tmp_path: Path, place: str
) -> None:
    config = _config(tmp_path / "Dropscribe", inbox=tmp_path / place / "inbox")
    with pytest.raises(DropscribeError, match=r"dropscribe config set paths\.inbox"):
        refuse_guarded(config, _host(tmp_path))
    refuse_guarded(config, _host(tmp_path, "linux"))
    (finding,) = check_guarded(config, _host(tmp_path))
    assert "Full Disk Access" in finding.remedy


def test_an_environment_and_a_checkout_on_the_desktop_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, host = _config(tmp_path / "Dropscribe"), _host(tmp_path)
    refuse_guarded(config, host)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "Desktop" / "checkout" / ".venv"))
    with pytest.raises(DropscribeError, match="uv tool install"):
        refuse_guarded(config, host)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "venv"))
    module = tmp_path / "Documents" / "checkout" / "daemon" / "__init__.py"
    monkeypatch.setattr("daemon.service.guards.daemon.__file__", str(module))
    with pytest.raises(DropscribeError, match="move the checkout"):
        refuse_guarded(config, host)


def test_blocked_is_told_from_denied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The inbox blocks (a FIFO stands for the prompt), the outbox is denied by its mode."""
    monkeypatch.setattr(checks, "_FOLDER_SECONDS", 0.1)
    config = _config(tmp_path)
    for folder in asdict(config.paths).values():
        folder.mkdir()
    os.mkfifo(tmp_path / "fifo")
    real = os.listdir

    def listdir(path: str | Path = ".") -> list[str]:
        if Path(path) == config.paths.inbox:
            (tmp_path / "fifo").read_bytes()
        elif Path(path) == config.paths.outbox:
            raise PermissionError(1, "Operation not permitted", str(path))
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    found = {finding.topic: finding for finding in check_folders(config)}
    os.close(os.open(tmp_path / "fifo", os.O_WRONLY))
    assert found["inbox"].text.endswith("is blocked")
    assert "on the screen" in found["inbox"].remedy
    assert found["outbox"].text.endswith("is denied")
    assert "privacy settings deny" in found["outbox"].remedy
    assert found["done"].well


def test_a_macos_that_mlx_does_not_run_on_is_a_finding() -> None:
    (finding,) = check_system("darwin", "13.6.1")
    assert "14" in finding.remedy
    assert not list(check_system("darwin", "26.1"))
    assert not list(check_system("linux", ""))
