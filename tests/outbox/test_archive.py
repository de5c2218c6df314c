"""The recording that was read goes to done/ or failed/, and no other."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import pytest

from daemon.domain.job import Identity
from daemon.files import moving
from daemon.outbox import archive
from daemon.outbox.archive import StaysError, file_away, remove


@pytest.fixture
def source(tmp_path: Path) -> Path:
    for name in ("in", "done"):
        (tmp_path / name).mkdir()
    path = tmp_path / "in" / "memo.wav"
    path.write_bytes(b"recording")
    return path


@pytest.fixture
def _other_volume(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """done/ on a volume of its own."""
    real = moving.rename_without_clobbering
    done = tmp_path / "done"

    def rename(one: Path, other: Path) -> None:
        if one.is_relative_to(done) != other.is_relative_to(done):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        real(one, other)

    monkeypatch.setattr(moving, "rename_without_clobbering", rename)


def _identity(path: Path) -> Identity:
    return Identity.of(path.lstat())


@pytest.mark.parametrize("volumes", [1, 2])
def test_it_gets_a_free_name(
    source: Path, tmp_path: Path, request: pytest.FixtureRequest, volumes: int
) -> None:
    if volumes == 2:
        request.getfixturevalue("_other_volume")
    done = tmp_path / "done"
    (done / "memo.wav").write_bytes(b"an older one")
    assert file_away(source, _identity(source), done) == done / "memo (2).wav"
    assert (done / "memo (2).wav").read_bytes() == b"recording"
    assert sorted(os.listdir(done)) == ["memo (2).wav", "memo.wav"]  # noqa: PTH208 - nothing hidden
    assert list(source.parent.iterdir()) == []


@pytest.mark.usefixtures("_other_volume")
def test_what_is_put_in_its_place_while_it_is_copied_is_left_alone(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = shutil.copyfileobj

    def copy(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        (tmp_path / "new").write_bytes(b"recordinG")
        (tmp_path / "new").replace(source)

    monkeypatch.setattr(shutil, "copyfileobj", copy)
    assert file_away(source, _identity(source), tmp_path / "done") is None
    assert source.read_bytes() == b"recordinG"
    assert list((tmp_path / "done").iterdir()) == []


@pytest.mark.parametrize("volumes", [1, 2])
@pytest.mark.parametrize("act", [file_away, remove])
def test_another_file_in_its_place_stays(
    source: Path, tmp_path: Path, request: pytest.FixtureRequest, volumes: int, act: object
) -> None:
    if volumes == 2:
        request.getfixturevalue("_other_volume")
    before = _identity(source)
    (tmp_path / "new").write_bytes(b"another")
    (tmp_path / "new").replace(source)
    if act is remove:
        remove(source, before)
    else:
        assert file_away(source, before, tmp_path / "done") is None
    assert source.read_bytes() == b"another"
    assert list((tmp_path / "done").iterdir()) == []


@pytest.mark.parametrize("volumes", [1, 2])
def test_a_folder_that_cannot_take_it_leaves_it_untouched(
    source: Path,
    tmp_path: Path,
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    volumes: int,
) -> None:
    if volumes == 2:
        request.getfixturevalue("_other_volume")
    before = _identity(source)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "mkdir", full)
    with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
        file_away(source, before, tmp_path / "done")
    assert _identity(source) == before  # its change time, too: it does not come in as another


@pytest.mark.usefixtures("_other_volume")
def test_what_is_gone_although_its_removal_reports_an_error_is_kept_elsewhere(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As over a network: the copy is all that there is of it."""
    real, done = Path.unlink, tmp_path / "done"

    def unlink(path: Path, missing_ok: bool = False) -> None:
        real(path, missing_ok)
        if path.name == source.name:
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))

    monkeypatch.setattr(Path, "unlink", unlink)
    assert file_away(source, _identity(source), done) == done / "memo.wav"
    assert (done / "memo.wav").read_bytes() == b"recording"


@pytest.mark.parametrize("volumes", [1, 2])
def test_a_rename_that_reports_an_error_has_happened_all_the_same(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    volumes: int,
) -> None:
    if volumes == 2:
        request.getfixturevalue("_other_volume")
    real, done = moving.rename_without_clobbering, tmp_path / "done"

    def rename(one: Path, other: Path) -> None:
        real(one, other)
        if other == done / "memo.wav":
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(one), None, str(other))

    monkeypatch.setattr(moving, "rename_without_clobbering", rename)
    assert file_away(source, _identity(source), done) == done / "memo.wav"
    assert [list(folder.iterdir()) for folder in (source.parent, done)] == [[], [done / "memo.wav"]]


@pytest.mark.usefixtures("_other_volume")
@pytest.mark.parametrize("step", ["removal", "sync"])
def test_what_cannot_be_removed_has_no_second_copy_elsewhere(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    """The copy has its name by then; the next try would file the recording a second time."""
    real, done, failed = Path.unlink, tmp_path / "done", []

    def fail(*_: object) -> None:
        failed.append(step)
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name == source.name and not failed:
            fail()
        real(path, missing_ok)

    with monkeypatch.context() as patched:
        if step == "removal":
            patched.setattr(Path, "unlink", unlink)
        else:
            patched.setattr(archive, "sync_folder", fail)
        with pytest.raises(OSError, match=os.strerror(errno.EIO)):
            file_away(source, _identity(source), done)
    assert failed
    assert [list(folder.iterdir()) for folder in (source.parent, done)] == [[source], []]
    file_away(source, _identity(source), done)
    assert [path.name for path in done.iterdir()] == ["memo.wav"]


@pytest.mark.parametrize("volume", ["", "_other_volume"])
def test_a_claim_that_cannot_be_cleared_away_does_not_hide_how_it_went(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    volume: str,
) -> None:
    if volume:
        request.getfixturevalue(volume)
    real = Path.unlink

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path.name.startswith(".dropscribe-"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    assert file_away(source, _identity(source), tmp_path / "done") == tmp_path / "done" / "memo.wav"


@pytest.mark.usefixtures("_other_volume")
def test_what_could_be_claimed_is_not_locked(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy's name is refused: that is the folder's fault, and passes."""
    real = moving.rename_without_clobbering

    def rename(one: Path, other: Path) -> None:
        if one.suffix == ".tmp":
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM), str(one), None, str(other))
        real(one, other)

    monkeypatch.setattr(moving, "rename_without_clobbering", rename)
    with pytest.raises(PermissionError):
        file_away(source, _identity(source), tmp_path / "done")
    assert source.exists()


@pytest.mark.parametrize("step", [1, 2])
def test_only_the_first_rename_tells_that_a_recording_is_locked(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
) -> None:
    real, renames = moving.rename_without_clobbering, 0

    def rename(one: Path, other: Path) -> None:
        nonlocal renames
        renames += 1
        if renames == step:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(one), None, str(other))
        real(one, other)

    monkeypatch.setattr(moving, "rename_without_clobbering", rename)
    with pytest.raises(StaysError if step == 1 else OSError, match=r".+"):
        file_away(source, _identity(source), tmp_path / "done")
    assert source.exists()


@pytest.mark.parametrize("volume", ["", "_other_volume"])
@pytest.mark.parametrize("number", [errno.EPERM, errno.EROFS])
def test_a_folder_that_is_denied_is_no_locked_recording(
    source: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    volume: str,
    number: int,
) -> None:
    """As macOS denies one: what is asked for permissions beforehand says that all is well."""
    if volume:
        request.getfixturevalue(volume)
    done = tmp_path / "done"

    def denied(path: Path, *_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number), str(path))

    monkeypatch.setattr(Path, "mkdir", denied)
    with pytest.raises(OSError, match=os.strerror(number)):
        file_away(source, _identity(source), done)
    assert source.exists()


def test_the_inbox_under_another_name_takes_nothing(source: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(source.parent)
    with pytest.raises(StaysError, match="is the inbox itself"):
        file_away(source, _identity(source), tmp_path / "link")


@pytest.mark.usefixtures("_other_volume")
def test_a_pipe_stays_where_it_cannot_be_copied(source: Path, tmp_path: Path) -> None:
    pipe = source.with_name("pipe.wav")
    os.mkfifo(pipe)
    before = _identity(pipe)
    with pytest.raises(StaysError, match="is no file"):
        file_away(pipe, before, tmp_path / "done")
    assert _identity(pipe) == before


def test_a_name_that_the_volume_cannot_hold_becomes_a_plain_one(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    odd = source.rename(source.with_name("call 10:30.wav"))
    real = moving.rename_without_clobbering

    def rename(one: Path, other: Path) -> None:
        if ":" in other.name:
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(one, other)

    monkeypatch.setattr(moving, "rename_without_clobbering", rename)
    assert file_away(odd, _identity(odd), tmp_path / "done") == tmp_path / "done" / "call 10-30.wav"
    assert archive.report_of(tmp_path / "a.wav").name == "a.wav.error.json"
