"""Files that are whole or absent, and names that are never taken from anybody."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path

import pytest

from daemon.files import atomic
from daemon.files.atomic import (
    json_bytes,
    move_without_clobbering,
    rename_without_clobbering,
    sweep_temporaries,
    write_atomically,
    write_json,
    write_temporary,
)


def _refusing(number: int) -> object:
    """A system call that this machine would not fail, failing."""

    def fail(source: object, target: object, **_: object) -> None:
        raise OSError(number, os.strerror(number), str(source), None, str(target))

    return fail


def test_a_file_is_replaced_as_a_whole(tmp_path: Path) -> None:
    path = tmp_path / "a"
    write_atomically(path, b"one")
    write_atomically(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(tmp_path.iterdir()) == [path]
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a"
    write_atomically(path, b"one")
    monkeypatch.setattr(Path, "replace", _refusing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write_atomically(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_json_is_utf8_and_never_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "fête 🎉"})
    assert "fête 🎉" in (tmp_path / "a.json").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_bytes({"time": math.nan})


def test_names_that_are_no_text_survive_json() -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    assert json.loads(json_bytes({"name": name})) == {"name": name}


def test_a_rename_never_takes_a_name_that_exists(tmp_path: Path) -> None:
    ours, theirs = write_temporary(tmp_path, b"ours"), tmp_path / "name"
    theirs.write_bytes(b"theirs")
    with pytest.raises(FileExistsError):
        rename_without_clobbering(ours, theirs)
    assert theirs.read_bytes() == b"theirs"
    rename_without_clobbering(ours, tmp_path / "free")
    assert (tmp_path / "free").read_bytes() == b"ours"
    assert not ours.exists()


@pytest.mark.parametrize("number", [errno.ENOTSUP, errno.EPERM, errno.EMLINK])
def test_volumes_without_hard_links_take_no_names_either(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    monkeypatch.setattr(atomic.os, "link", _refusing(number))
    test_a_rename_never_takes_a_name_that_exists(tmp_path)


@pytest.mark.parametrize("kind", ["file", "folder", "link"])
def test_anything_moves_to_a_free_name_only(tmp_path: Path, kind: str) -> None:
    source, taken, target = tmp_path / "source", tmp_path / "taken", tmp_path / "free"
    taken.write_bytes(b"theirs")
    if kind == "file":
        source.write_bytes(b"ours")
    elif kind == "folder":
        source.mkdir()
    else:
        source.symlink_to(taken)
    with pytest.raises(FileExistsError):
        move_without_clobbering(source, taken)
    move_without_clobbering(source, target)
    assert (target.is_symlink(), target.is_dir()) == (kind == "link", kind == "folder")
    assert not os.path.lexists(source)
    assert taken.read_bytes() == b"theirs"


def test_a_dangling_link_also_takes_a_name(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    source.write_bytes(b"ours")
    target.symlink_to(tmp_path / "nowhere")
    with pytest.raises(FileExistsError):
        move_without_clobbering(source, target)


def test_a_move_across_volumes_is_a_whole_copy_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "there"
    source.write_bytes(b"recording")
    os.utime(source, (1_000_000, 1_000_000))
    monkeypatch.setattr(Path, "rename", _refusing(errno.EXDEV))
    move_without_clobbering(source, target)
    assert target.read_bytes() == b"recording"
    assert target.stat().st_mtime == 1_000_000
    assert list(tmp_path.iterdir()) == [target]


def test_a_move_across_volumes_that_fails_keeps_the_original(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = tmp_path / "source", tmp_path / "there"
    source.write_bytes(b"recording")
    monkeypatch.setattr(Path, "rename", _refusing(errno.EXDEV))
    monkeypatch.setattr(atomic.shutil, "copy2", _refusing(errno.ENOSPC))
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        move_without_clobbering(source, target)
    assert list(tmp_path.iterdir()) == [source]


def test_only_our_own_leftovers_are_swept(tmp_path: Path) -> None:
    theirs = tmp_path / "notes.tmp"
    theirs.write_bytes(b"")
    write_temporary(tmp_path, b"half")
    assert sweep_temporaries(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [theirs]
