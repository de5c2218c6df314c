"""Files that are whole or absent, and names that are never taken from anybody."""

from __future__ import annotations

import errno
import json
import math
import os
from itertools import pairwise
from pathlib import Path

import pytest

from daemon.files import atomic
from daemon.files.atomic import (
    copy_to_temporary,
    json_bytes,
    sweep_temporaries,
    write_atomically,
    write_json,
    write_temporary,
)


def _refusing(number: int) -> object:
    """A system call that this machine would not fail, failing."""

    def fail(source: object, target: object = None, **_: object) -> None:
        raise OSError(number, os.strerror(number), str(source), None, target and str(target))

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
    monkeypatch.setattr(os, "replace", _refusing(errno.EIO))
    with pytest.raises(OSError, match=os.strerror(errno.EIO)):
        write_atomically(path, b"two")
    assert path.read_bytes() == b"one"
    assert list(tmp_path.iterdir()) == [path]


def test_what_cannot_be_removed_does_not_hide_why_it_should_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "replace", _refusing(errno.ENOSPC))
    with monkeypatch.context() as then:
        then.setattr(os, "unlink", _refusing(errno.EIO))
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            write_atomically(tmp_path / "a", b"two")
    assert sweep_temporaries(tmp_path) == 1  # at the next start


def test_a_large_file_reaches_the_disk_in_pieces(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sync of gigabytes would hold a stop up for as long as the disk takes."""
    sizes: list[int] = []
    real = atomic.sync

    def sync(fd: int) -> None:
        sizes.append(os.fstat(fd).st_size)
        real(fd)

    monkeypatch.setattr(atomic, "sync", sync)
    with (tmp_path / "large").open("w+b") as source:
        source.truncate(200_000_000)
        temporary = copy_to_temporary(tmp_path, source, 200_000_000)
    assert Path(temporary).stat().st_size == sizes[-1] == 200_000_000
    assert max(after - before for before, after in pairwise([0, *sizes])) < 50_000_000


def test_json_is_utf8_and_never_nan(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"name": "fête 🎉"})
    assert "fête 🎉" in (tmp_path / "a.json").read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="not JSON compliant"):
        json_bytes({"time": math.nan})


def test_names_that_are_no_text_survive_json() -> None:
    name = os.fsdecode(b"caf\xe9.wav")
    assert json.loads(json_bytes({"name": name})) == {"name": name}


def test_only_our_own_leftovers_are_swept(tmp_path: Path) -> None:
    theirs = tmp_path / "notes.tmp"
    theirs.write_bytes(b"")
    write_temporary(tmp_path, b"half")
    assert sweep_temporaries(tmp_path) == 1
    assert list(tmp_path.iterdir()) == [theirs]
