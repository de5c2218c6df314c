"""Moving recordings to done/ and failed/: the file that was read, and never over another file."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from daemon.domain.job import Identity
from daemon.domain.names import fitting, plain_name, with_number
from daemon.files.atomic import sync_folder
from daemon.files.moving import (
    ReplacedError,
    claimed,
    copy_whole,
    note_copy,
    removed_unless_renamed,
    rename_numbered,
    unnamed_unless_done,
)
from daemon.files.recording import is_same_file
from daemon.files.renaming import UNSPEAKABLE
from daemon.files.state_folder import REPORT_SUFFIX

_NUMBERS = range(1, 10)  # how often one name is looked for
_IMMOVABLE = {errno.EACCES, errno.EPERM, errno.EROFS}


Remove = Callable[[Path], None]  # removes a claimed recording for good

# Makes a whole copy of the recording of that identity, hidden in a folder; returns its path.
Copy = Callable[[Path, Identity, Path], Path]


def _unlink(held: Path) -> None:
    held.unlink()


class StaysError(Exception):
    """The recording stays in the inbox; the message is the reason, for a person."""


def file_away(
    source: Path,
    identity: Identity,
    folder: Path,
    copy: Copy = copy_whole,
    unlink: Remove = _unlink,
) -> Path | None:
    """Move `source` into `folder` as NAME.EXT, or `NAME (2).EXT`, …; return the new path.

    To another volume by a `copy`, of which nothing is left unless it takes the recording's place;
    then `unlink` removes that.

    None if it is gone, or if another file has taken its place: that one is a recording of its own.
    Raises StaysError if it cannot be moved although `folder` is well, and OSError if it is not.
    """
    if not folder.is_dir():
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(folder))
    if folder.samefile(source.parent):  # they may have different paths: bind mounts, letter case
        raise StaysError(f"{folder} is the inbox itself, under another name")
    try:
        moved = _rename_away(source, identity, folder)
    except FileNotFoundError as error:
        if _concerns(source, error):
            return None
        raise
    except OSError as error:
        if error.errno in _IMMOVABLE and _concerns(source, error):
            raise StaysError("it may not be moved (is it locked?)") from error
        if error.errno != errno.EXDEV:
            raise
        moved = _copy_away(source, identity, folder, copy, unlink)
    sync_folder(folder)
    sync_folder(source.parent)
    return moved


def filed_as(name: str, folder: Path) -> Iterator[Path]:
    """Where `file_away` may have put a recording of that name, the likeliest first."""
    for wanted in dict.fromkeys((name, plain_name(name))):
        suffix = Path(wanted).suffix
        stem = wanted.removesuffix(suffix)
        yield from (folder / with_number(stem, number, suffix) for number in _NUMBERS)


def remove(source: Path, identity: Identity, unlink: Remove = _unlink) -> None:
    """Delete the recording that was read, and no other that has taken its place."""
    try:
        with claimed(source, source.parent) as held:
            if is_same_file(Identity.of(held.lstat()), identity):
                unlink(held)
    except FileNotFoundError:
        return
    except PermissionError as error:
        raise StaysError("it may not be deleted (is it locked?)") from error


def report_of(file: Path) -> Path:
    """The path of the report beside a failed file; unique even where the name had to be cut."""
    name = fitting(file.name, REPORT_SUFFIX)
    if name != file.name:
        name = f"{name} {hashlib.sha256(os.fsencode(file.name)).hexdigest()[:8]}"
    return file.with_name(name + REPORT_SUFFIX)


def _rename_away(source: Path, identity: Identity, folder: Path) -> Path | None:
    """The claim lies in `folder`: what is wrong with that shows before the recording is touched."""
    with claimed(source, folder) as held:
        is_meant = is_same_file(Identity.of(held.lstat()), identity)
        return _named(held, folder, source.name) if is_meant else None


def _copy_away(
    source: Path, identity: Identity, folder: Path, copy: Copy, unlink: Remove
) -> Path | None:
    """To another volume. It is claimed when its copy is whole, and removed when that has a name."""
    try:
        if not stat.S_ISREG(source.lstat().st_mode):
            raise StaysError("it is no file, and cannot be moved to another volume")
        with (
            removed_unless_renamed(copy(source, identity, folder)) as whole,
            claimed(source, source.parent) as held,
        ):
            if not is_same_file(Identity.of(held.lstat()), identity):
                return None
            note_copy(held, whole, folder)
            target = _named(whole, folder, source.name)
            with unnamed_unless_done(whole, target, held):
                sync_folder(folder)
                unlink(held)
            return target
    except ReplacedError:
        return None
    except FileNotFoundError as error:
        if _concerns(source, error):
            return None
        raise  # somebody tidied the copy or its folder away
    except PermissionError as error:
        if not _concerns(source, error):
            raise
        raise StaysError("it may not be moved (is it locked?)") from error


def _concerns(source: Path, error: OSError) -> bool:
    """Whether `source` itself is not there or not moved, and not what was made elsewhere.

    os.access does not tell: where macOS denies a program a folder, it says that all is well.
    """
    name = error.filename
    return name is not None and Path(os.fsdecode(name)).parent == source.parent


def _named(file: Path, folder: Path, name: str) -> Path:
    """Give `file` its name in `folder` or, if the volume cannot hold that, a plain one."""
    try:
        return rename_numbered(file, folder, name)
    except OSError as error:
        if error.errno not in UNSPEAKABLE:
            raise
    return rename_numbered(file, folder, plain_name(name))
