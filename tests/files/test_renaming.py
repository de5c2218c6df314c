"""Names are never taken from anybody, on volumes of every kind."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from daemon.files import renaming
from daemon.files.renaming import rename_without_clobbering

_NO_SYSTEM_CALL = {"exclusive_rename": errno.EINVAL}
_NO_LINKS = _NO_SYSTEM_CALL | {"link": errno.EPERM}


@pytest.fixture(params=[{}, _NO_SYSTEM_CALL, _NO_LINKS], ids=["system", "links", "neither"])
def _volume(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the volume knows: the system's own call, hard links, neither."""
    for call, number in request.param.items():
        owner = renaming if hasattr(renaming, call) else os
        monkeypatch.setattr(owner, call, _refusing(number))


def _refusing(number: int) -> object:
    def fail(source: object, target: object, **_: object) -> None:
        raise OSError(number, os.strerror(number), str(source), None, str(target))

    return fail


@pytest.mark.usefixtures("_volume")
@pytest.mark.parametrize("kind", ["file", "folder", "link"])
@pytest.mark.parametrize("taken_by", ["file", "folder", "dangling link"])
def test_anything_gets_a_free_name_only(tmp_path: Path, kind: str, taken_by: str) -> None:
    source, taken = _made(tmp_path / "source", kind), _made(tmp_path / "taken", taken_by)
    before = taken.lstat()
    with pytest.raises(FileExistsError):
        rename_without_clobbering(source, taken)
    assert taken.lstat() == before
    rename_without_clobbering(source, tmp_path / "free")
    assert (tmp_path / "free").is_symlink() == (kind == "link")
    assert sorted(os.listdir(tmp_path)) == ["free", "taken"]  # noqa: PTH208 - no leftovers


@pytest.mark.usefixtures("_volume")
def test_what_is_not_there_cannot_be_renamed(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        rename_without_clobbering(tmp_path / "nothing", tmp_path / "free")
    assert list(tmp_path.iterdir()) == []


def test_a_file_whose_old_name_cannot_go_is_not_left_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = _made(tmp_path / "source", "file")
    monkeypatch.setattr(renaming, "exclusive_rename", _refusing(errno.ENOSYS))
    real = Path.unlink
    refused: list[Path] = []

    def unlink(path: Path, missing_ok: bool = False) -> None:
        if path == source and not refused:
            refused.append(path)
            raise PermissionError(errno.EPERM, "locked", str(path))
        real(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", unlink)
    with pytest.raises(PermissionError):
        rename_without_clobbering(source, tmp_path / "free")
    assert list(tmp_path.iterdir()) == [source]


def _made(path: Path, kind: str) -> Path:
    match kind:
        case "file":
            path.write_bytes(b"ours")
        case "folder":
            path.mkdir()
        case _:
            path.symlink_to(path.with_name("nowhere"))
    return path
