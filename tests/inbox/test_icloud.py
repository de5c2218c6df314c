"""Files in iCloud are asked for by processes that can be ended. Real processes, no iCloud."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from daemon.inbox.icloud import ICloudDownloads, read_one_byte

NOW = 100.0


def endless(path: Path) -> Sequence[str]:
    return (sys.executable, "-c", "import time; time.sleep(60)", str(path))


def readers() -> list[str]:
    """The files that are being asked for, by the command lines of our children."""
    found = []
    for child in psutil.Process().children():
        with contextlib.suppress(psutil.NoSuchProcess):  # a zombie, too
            command = child.cmdline()  # a dying one has none
            if command[:-1] == list(endless(Path())[:-1]):  # other tests have children, too
                found += command[-1:]
    return sorted(found)


@pytest.fixture
def downloads() -> Iterator[ICloudDownloads]:
    downloads = ICloudDownloads(limit=2, seconds=10.0, command=endless)
    yield downloads
    downloads.close()


def test_asking_again_does_not_start_another_reader(downloads: ICloudDownloads) -> None:
    for _ in range(3):
        downloads.ask(Path("/a"), NOW)
    assert readers() == ["/a"]


def test_no_more_than_the_limit_are_asked_for_at_a_time(downloads: ICloudDownloads) -> None:
    for name in ("/a", "/b", "/c"):
        downloads.ask(Path(name), NOW)
    assert readers() == ["/a", "/b"]


def test_a_reader_that_takes_too_long_is_ended_and_makes_room(downloads: ICloudDownloads) -> None:
    downloads.ask(Path("/a"), NOW)
    downloads.ask(Path("/b"), NOW + 5)
    while "/c" not in readers():
        downloads.ask(Path("/c"), NOW + 10)
    assert readers() == ["/b", "/c"]


def test_closing_leaves_no_process(downloads: ICloudDownloads) -> None:
    downloads.ask(Path("/a"), NOW)
    downloads.close()
    assert readers() == []


def test_the_real_reader_ends_by_itself_once_the_content_is_here(tmp_path: Path) -> None:
    file = tmp_path / "-n a.wav"
    file.write_bytes(b"RIFF")
    program, *arguments = read_one_byte(file)
    downloads = ICloudDownloads(command=lambda _path: (Path(program).name, *arguments))
    downloads.ask(file, NOW)
    (reader,) = (child for child in psutil.Process().children() if child.name() == "head")
    while reader.status() != psutil.STATUS_ZOMBIE:
        pass
    downloads.close()
    assert readers() == []
