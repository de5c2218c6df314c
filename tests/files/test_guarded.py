"""Folders that macOS guards, told by their paths alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.files.guarded import guarded_place, why_blocked

HOME = Path("/Users/ada")


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/Users/ada/Desktop/inbox", "the Desktop"),
        ("/users/ADA/documents", "Documents"),
        ("/Users/ada/Downloads/dropscribe/.venv/bin", "Downloads"),
        ("/Users/ada/Library/Mobile Documents/com~apple~CloudDocs/inbox", "iCloud Drive"),
        ("/Users/ada/Library/CloudStorage/Dropbox/inbox", "a cloud's folder"),
        ("/Volumes/Recorder/inbox", "the volume Recorder"),
        ("/Users/ada/Dropscribe/inbox", None),
        ("/Users/ada/Documents of mine/inbox", None),
        ("/Users/ada/Library/Application Support/dropscribe", None),
        ("/Users/bob/Documents", None),
        ("/Volumes", None),
    ],
)
def test_a_guarded_place_is_known_by_its_path(path: str, place: str | None) -> None:
    assert guarded_place(Path(path), HOME, "darwin") == place
    assert guarded_place(Path(path), HOME, "linux") is None


def test_what_blocks_is_said_by_where_it_lies() -> None:
    asked = why_blocked(HOME / "Desktop/inbox", HOME, "darwin")
    away = why_blocked(HOME / "Dropscribe/inbox", HOME, "darwin")
    assert "the Desktop" in asked
    assert "on the screen" in asked
    assert "server" in away
