"""Which files are recordings, and when they are whole."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from daemon.config.settings import Watch
from daemon.domain.job import Candidate, Identity
from daemon.inbox.scan import Settling, candidate, look_into

EXTENSIONS = Watch().extensions


def _names(inbox: Path) -> list[str]:
    return [one.path.name for one in look_into(inbox, EXTENSIONS).candidates]


@pytest.mark.parametrize(
    "name",
    [
        "a.wav",
        "A.WAV",
        "b.Mp3",
        "film.mp4",
        "v1.2.m4a",
        "trailing..ogg",
        "two\nlines.flac",
        "🎉.opus",
    ],
)
def test_recordings_are_known_by_their_extension(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert _names(tmp_path) == [name]


@pytest.mark.parametrize(
    "name",
    [
        ".hidden.wav", "._a.wav", ".DS_Store", ".a.wav.AbC123", "a.wav.part", "a.wav.crdownload",
        "a.wav.icloud", "a.wav~", "~$a.wav", "Icon\r", "__MACOSX", "Unconfirmed 123.crdownload",
        "a.wav.tmp",
    ],
)  # fmt: skip
def test_what_other_programs_leave_is_not_even_mentioned(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    look = look_into(tmp_path, EXTENSIONS)
    assert (look.recordings, look.ignored) == ((), ())


def test_other_files_are_left_alone_and_mentioned(tmp_path: Path) -> None:
    for name in ("notes.txt", "wav", "image.png"):
        (tmp_path / name).touch()
    look = look_into(tmp_path, EXTENSIONS)
    assert look.recordings == ()
    assert look.ignored == ("image.png", "notes.txt", "wav")


@pytest.mark.parametrize("suffix", [".part", ".crdownload", ".download", ".aria2"])
def test_a_file_with_a_partial_sibling_is_not_whole(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "a.wav").touch()
    (tmp_path / f"a.wav{suffix}").touch()
    assert _names(tmp_path) == []


def test_names_that_are_no_text_are_recordings_too(tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    (tmp_path / name).touch()
    assert _names(tmp_path) == [name]


def test_what_is_no_regular_file_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "folder.wav").mkdir()
    (tmp_path / "link.wav").symlink_to(tmp_path / "folder.wav")
    os.mkfifo(tmp_path / "pipe.wav")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "socket.wav"))
        refusals = {
            one.path.name: one.refusal for one in look_into(tmp_path, EXTENSIONS).candidates
        }
    assert refusals == {
        "folder.wav": "this is a folder",
        "link.wav": "this is a symbolic link: drop the recording itself",
        "pipe.wav": "this is a named pipe, not a recording",
        "socket.wav": "this is a socket, not a recording",
    }


def test_a_file_that_left_since_it_was_listed_is_no_candidate(tmp_path: Path) -> None:
    assert candidate(tmp_path / "gone.wav") is None


def test_an_inbox_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        look_into(tmp_path / "none", EXTENSIONS)


def _one(size: int = 5, mtime: int = 1) -> Candidate:
    return Candidate(Path("/in/a.wav"), Identity(size, mtime, 1, 1))


def test_a_file_is_settled_when_it_was_still_for_long_enough() -> None:
    settling = Settling(2.0, 30.0)
    assert settling.look([_one()], 10.0) == []
    assert (len(settling), settling.due()) == (1, 12.0)
    assert settling.look([_one()], 11.9) == []
    assert settling.look([_one()], 12.0) == [_one()]
    assert (len(settling), settling.due()) == (0, None)


@pytest.mark.parametrize("changed", [_one(size=6), _one(mtime=2)])
def test_any_change_starts_the_wait_anew(changed: Candidate) -> None:
    settling = Settling(2.0, 30.0)
    settling.look([_one()], 10.0)
    assert settling.look([changed], 12.0) == []
    assert settling.due() == 14.0


def test_an_empty_file_may_still_be_filled() -> None:
    settling = Settling(2.0, 30.0)
    settling.look([_one(size=0)], 10.0)
    assert settling.look([_one(size=0)], 39.9) == []
    assert settling.look([_one(size=0)], 40.0) == [_one(size=0)]


def test_a_file_that_leaves_is_forgotten() -> None:
    settling = Settling(2.0, 30.0)
    settling.look([_one()], 10.0)
    settling.look([], 11.0)
    assert settling.look([_one()], 13.0) == []


def test_a_files_own_timestamps_prove_nothing() -> None:
    settling = Settling(2.0, 30.0)
    assert settling.look([_one(mtime=0), _one(mtime=2**62)], 10.0) == []
