"""daemon.inbox.open_files: who has a file open for writing, asked of a real process."""

from __future__ import annotations

import struct
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.inbox.open_files import OpenFiles, path_if_writing

_HOLD = "import sys; file = open(sys.argv[1], sys.argv[2]); print(flush=True); sys.stdin.read()"


@contextmanager
def _held(path: Path, mode: str) -> Iterator[None]:
    """Another process has `path` open."""
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path), mode],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield


@pytest.mark.parametrize("mode", ["ab", "r+b", "wb"])
def test_a_writer_is_known_by_name_until_it_closes(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "sub" / "a é.wav"
    path.parent.mkdir()
    path.touch()
    with _held(path, mode):
        writer = OpenFiles(tmp_path).writer(path)
        assert writer is not None
        assert "python" in writer.lower()
    assert OpenFiles(tmp_path).writer(path) is None


def test_a_reader_is_no_writer(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.touch()
    with _held(path, "rb"):
        assert OpenFiles(tmp_path).writer(path) is None


def test_on_a_network_volume_nobody_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.touch()
    with _held(path, "ab"):
        assert OpenFiles(tmp_path, is_remote=lambda _: True).writer(path) is None


def test_one_look_answers_for_all_files(tmp_path: Path) -> None:
    looks: list[str] = []

    def look(prefix: str) -> Iterator[tuple[int, str]]:
        looks.append(prefix)
        yield 2**31 - 1, str(tmp_path / "a.wav")

    files = OpenFiles(tmp_path, clock=lambda: 100.0, look=look)
    assert files.writer(tmp_path / "a.wav") == "another program"
    assert files.writer(tmp_path / "b.wav") is None
    assert len(looks) == 1


@pytest.mark.parametrize(("flags", "found"), [(1, None), (3, "/inbox/ä.wav"), (2, "/inbox/ä.wav")])
def test_what_macos_says_of_a_descriptor(flags: int, found: str | None) -> None:
    """struct vnode_fdinfowithpath: open flags first, the path behind 176 bytes."""
    info = struct.pack("=I172x", flags) + "/inbox/ä.wav".encode() + bytes(1200 - 176 - 13)
    assert len(info) == 1200
    assert path_if_writing(info) == found


def test_a_writer_is_seen_through_a_link_to_the_inbox(tmp_path: Path) -> None:
    real, link = tmp_path / "real", tmp_path / "link"
    real.mkdir()
    link.symlink_to(real)
    (real / "a.wav").touch()
    with _held(real / "a.wav", "ab"):
        open_files = OpenFiles(link)
        assert open_files.writer(link / "a.wav") is not None
        assert not open_files.is_closed(link / "a.wav", time.monotonic())
    assert open_files.is_closed(link / "a.wav", time.monotonic())
