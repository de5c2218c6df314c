"""A recording is claimed before it is moved, and whole wherever it can be seen."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from daemon.files import moving
from daemon.files.moving import (
    claimed,
    copy_whole,
    move_without_clobbering,
    note_copy,
    removed_unless_renamed,
    restore_claims,
)


@pytest.fixture
def _two_volumes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every folder on a volume of its own."""
    real = moving.rename_without_clobbering

    def rename(source: Path, target: Path) -> None:
        if source.parent != target.parent:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(source, target)

    monkeypatch.setattr(moving, "rename_without_clobbering", rename)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    path = tmp_path / "in" / "memo.wav"
    path.write_bytes(b"recording")
    os.utime(path, (1_000_000, 1_000_000))
    return path


def _copied(source: Path, folder: Path) -> AbstractContextManager[Path]:
    return removed_unless_renamed(copy_whole(source, None, folder))


def test_what_is_claimed_is_nobody_elses_to_replace(recording: Path, tmp_path: Path) -> None:
    with claimed(recording, tmp_path / "out") as held:
        recording.write_bytes(b"another")
        assert held.read_bytes() == b"recording"
        held.unlink()
    assert recording.read_bytes() == b"another"
    assert list(recording.parent.iterdir()) == [recording]


def test_what_is_not_moved_goes_back(recording: Path) -> None:
    with pytest.raises(OSError, match="full"), claimed(recording, recording.parent):
        raise OSError(errno.ENOSPC, "full")
    assert recording.read_bytes() == b"recording"
    assert list(recording.parent.iterdir()) == [recording]


def test_a_name_that_was_taken_meanwhile_is_not_taken_back(recording: Path) -> None:
    with claimed(recording, recording.parent):
        recording.write_bytes(b"another")
    assert recording.read_bytes() == b"another"
    assert (recording.parent / "memo (2).wav").read_bytes() == b"recording"


def test_what_is_not_there_cannot_be_claimed(recording: Path) -> None:
    with (
        pytest.raises(FileNotFoundError),
        claimed(recording.with_name("nothing"), recording.parent),
    ):
        pass
    assert list(recording.parent.iterdir()) == [recording]


def test_what_a_killed_process_had_claimed_comes_back(recording: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with contextlib.suppress(KeyboardInterrupt), claimed(recording, out) as held:
        (out / "left").mkdir()
        left = (out / "left").rename(held.parent.with_suffix(".tmp"))
        held.rename(left / held.name)
        left.rename(left.with_name(left.stem + "0.claim"))
        raise KeyboardInterrupt
    assert restore_claims(out, tmp_path / "another inbox") == 0
    assert restore_claims(out, recording.parent) == 1
    assert recording.read_bytes() == b"recording"
    assert [list(path.iterdir()) for path in (recording.parent, out)] == [[recording], []]


@pytest.mark.parametrize("named", [True, False])
def test_what_a_killed_process_had_claimed_is_removed_if_its_copy_has_a_name(
    recording: Path, tmp_path: Path, named: bool
) -> None:
    inbox, out = recording.parent, tmp_path / "out"
    with contextlib.suppress(KeyboardInterrupt), _copied(recording, out) as copy:
        with claimed(recording, inbox) as held:
            note_copy(held, copy, out)
            left = shutil.copytree(held.parent, tmp_path / "left")
            if named:
                copy.rename(out / "another name.wav")
        recording.unlink()
        left.rename(held.parent)  # as a kill at this point leaves it
        raise KeyboardInterrupt
    assert restore_claims(inbox, inbox) == 1
    assert [path.name for path in inbox.iterdir()] == ([] if named else [recording.name])
    assert [path.read_bytes() for path in out.iterdir()] == ([b"recording"] if named else [])


def test_a_volume_without_room_for_a_note_lets_a_recording_go(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_text", full)
    inbox, out = recording.parent, tmp_path / "out"
    with _copied(recording, out) as copy, claimed(recording, inbox) as held:
        note_copy(held, copy, out)
        copy.rename(out / "memo.wav")
        held.unlink()
    assert [path.name for path in (*inbox.iterdir(), *out.iterdir())] == ["memo.wav"]


@pytest.mark.usefixtures("_two_volumes")
def test_a_move_across_volumes_is_a_whole_copy_first(recording: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "memo.wav"
    move_without_clobbering(recording, target)
    assert (target.read_bytes(), target.stat().st_mtime) == (b"recording", 1_000_000)
    assert [list(path.iterdir()) for path in (tmp_path / "in", tmp_path / "out")] == [[], [target]]


@pytest.mark.usefixtures("_two_volumes")
@pytest.mark.parametrize("fault", ["full", "written to", "taken"])
def test_a_move_across_volumes_that_fails_keeps_the_original(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    target = tmp_path / "out" / "memo.wav"
    real = shutil.copyfileobj

    def copy(source: object, into: object, length: int) -> None:
        if fault == "full":
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(source, into, length)  # type: ignore[arg-type]
        if fault == "written to":
            recording.write_bytes(b"RECORDING, longer")
        else:
            target.write_bytes(b"theirs")

    monkeypatch.setattr(shutil, "copyfileobj", copy)
    with pytest.raises(OSError, match=r".+"):
        move_without_clobbering(recording, target)
    assert recording.exists()
    theirs = [target] if fault == "taken" else []
    assert list((tmp_path / "out").iterdir()) == theirs


@pytest.mark.usefixtures("_two_volumes")
def test_an_original_that_stays_has_no_second_copy(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path == recording:
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(PermissionError):
        move_without_clobbering(recording, tmp_path / "out" / "memo.wav")
    assert recording.exists()
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.usefixtures("_two_volumes")
@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_not_copied(tmp_path: Path, make: object) -> None:
    (tmp_path / "out").mkdir()
    make(tmp_path / "album.wav")  # type: ignore[operator]
    with pytest.raises(OSError, match=os.strerror(errno.EXDEV)):
        move_without_clobbering(tmp_path / "album.wav", tmp_path / "out" / "album.wav")
    assert list((tmp_path / "out").iterdir()) == []


def test_what_is_kept_beside_a_file_survives_the_move_to_another_volume(tmp_path: Path) -> None:
    """Tags and comments of the Finder are extended attributes; dates and permissions as well."""
    source = tmp_path / "a.wav"
    source.write_bytes(b"content")
    try:
        os.setxattr(source, "user.com.apple.metadata:_kMDItemUserTags", b"Red")
    except OSError:
        pytest.skip("this volume has no extended attributes")
    source.chmod(0o640)
    os.utime(source, ns=(1_700_000_000_000_000_000, 1_600_000_000_000_000_000))
    with _copied(source, tmp_path) as copy:
        assert os.getxattr(copy, "user.com.apple.metadata:_kMDItemUserTags") == b"Red"
        status = copy.stat()
        assert (status.st_mode & 0o777, status.st_mtime_ns) == (0o640, 1_600_000_000_000_000_000)
