"""The service file is written whole, for us alone, and never over a stranger's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from launchd.errors import ServiceError
from launchd.own_file import OwnFile

OURS = b"<key>DROPSCRIBE_AGENT</key>"


def test_a_file_that_is_not_there_reads_as_none(tmp_path: Path) -> None:
    assert OwnFile(tmp_path / "a.plist").read() is None


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    file = OwnFile(tmp_path / "LaunchAgents" / "a.plist")
    file.write(OURS)
    assert file.read() == OURS


def test_the_file_is_0644_whatever_the_umask_and_leaves_nothing_beside_it(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        OwnFile(tmp_path / "agents" / "a.plist").write(OURS)
    finally:
        os.umask(before)
    assert (tmp_path / "agents" / "a.plist").stat().st_mode & 0o7777 == 0o644
    assert (tmp_path / "agents").stat().st_mode & 0o022 == 0
    assert [path.name for path in (tmp_path / "agents").iterdir()] == ["a.plist"]


def test_a_strangers_file_is_neither_read_nor_changed(tmp_path: Path) -> None:
    path = tmp_path / "a.plist"
    path.write_bytes(b"<plist>somebody else's</plist>")
    with pytest.raises(ServiceError, match="was not written by dropscribe and was left alone"):
        OwnFile(path).read()
    assert path.read_bytes() == b"<plist>somebody else's</plist>"


def test_a_folder_that_others_may_write_to_is_refused_with_the_remedy(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ServiceError, match="chmod go-w"):
        OwnFile(tmp_path / "a.plist").write(OURS)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "Library").write_text("a file")
    with pytest.raises(ServiceError, match=r"cannot write .*a\.plist"):
        OwnFile(tmp_path / "Library" / "LaunchAgents" / "a.plist").write(OURS)


def test_putting_back_restores_both_a_file_and_its_absence(tmp_path: Path) -> None:
    file = OwnFile(tmp_path / "a.plist")
    file.put_back(OURS)
    assert file.read() == OURS
    file.put_back(None)
    assert file.read() is None
