"""Folders in the inbox: taken with everything inside, mirrored, and swept when they are empty."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.inbox.scan import look_into

_ENDINGS = ("wav", "mp3")


def _touch(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def test_everything_inside_is_found_and_the_rest_has_a_reason(tmp_path: Path) -> None:
    _touch(
        tmp_path / "a.wav",
        tmp_path / "Interviews" / "b.wav",
        tmp_path / "Interviews" / "day two.wav" / "c.MP3",
        tmp_path / "Interviews" / "notes.txt",
        tmp_path / "Interviews" / "cover.JPG",
        tmp_path / "all.zip",
        tmp_path / ".hidden" / "d.wav",
        tmp_path / "Song.logicx" / "e.wav",
        tmp_path / "__MACOSX" / "f.wav",
    )
    (tmp_path / "elsewhere").symlink_to(tmp_path / "Interviews")
    look = look_into(tmp_path, _ENDINGS, recursive=True)
    assert look.recordings == ("Interviews/b.wav", "Interviews/day two.wav/c.MP3", "a.wav")
    assert look.reasons == {
        "Interviews/notes.txt": "a text or document",
        "Interviews/cover.JPG": "a picture",
        "all.zip": "an archive: unpack it first",
        "Song.logicx": "a package that belongs to another program",
        "elsewhere": "no audio or video file by its name",
    }


def test_a_folder_is_left_alone_where_that_is_wanted(tmp_path: Path) -> None:
    _touch(tmp_path / "Interviews" / "b.wav")
    look = look_into(tmp_path, _ENDINGS)
    assert (look.recordings, look.reasons) == ((), {"Interviews": "a folder"})


def test_the_depth_is_bounded(tmp_path: Path) -> None:
    deep = tmp_path.joinpath(*"abcdefghijklmnopq")
    _touch(deep / "a.wav")
    look = look_into(tmp_path, _ENDINGS, recursive=True)
    assert look.recordings == ()
    assert list(look.reasons.values()) == ["a folder inside 12 others"]


def test_a_folder_that_cannot_be_read_hides_no_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daemon.inbox import scan  # noqa: PLC0415 - what is replaced

    _touch(tmp_path / "a" / "a.wav", tmp_path / "b" / "b.wav")
    listed = scan._listed

    def refuse(folder: Path) -> tuple[set[str], set[str]]:
        if folder.name == "a":
            raise PermissionError
        return listed(folder)

    monkeypatch.setattr(scan, "_listed", refuse)
    look = look_into(tmp_path, _ENDINGS, recursive=True)
    assert look.recordings == ("b/b.wav",)
    assert look.reasons == {"a": "a folder that cannot be read"}
