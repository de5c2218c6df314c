"""A folder's one path. macOS's answer is a stand-in here: Linux has no such call."""

from __future__ import annotations

import os
from pathlib import Path

from daemon.files.real_path import real_path


def test_a_mac_tells_the_letter_case_that_its_volume_keeps(tmp_path: Path) -> None:
    def getpath(fd: int, command: int, room: bytes) -> bytes:
        assert (os.fstat(fd).st_ino, command) == (tmp_path.stat().st_ino, 50)
        return b"/Users/ada/Dropscribe/inbox".ljust(len(room), b"\0")

    assert real_path(tmp_path, "darwin", getpath) == Path("/Users/ada/Dropscribe/inbox")


def test_links_are_followed_and_a_folder_that_is_missing_keeps_its_path(tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(tmp_path)
    assert real_path(link) == tmp_path.resolve()
    missing = tmp_path / "missing"
    assert real_path(missing, "darwin") == missing.resolve()
