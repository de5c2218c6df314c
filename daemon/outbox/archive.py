"""Moving recordings to done/ and failed/: never over another file, whatever they are called."""

from __future__ import annotations

import errno
import hashlib
import os
from itertools import count
from pathlib import Path

from daemon.domain.job import printable
from daemon.files.atomic import move_without_clobbering
from daemon.files.state_folder import REPORT_SUFFIX
from daemon.outbox.placing import fitting

_MAX_NAME_BYTES = 255
# What a file system says to a name that it cannot hold: too long, or not the UTF-8 that it wants.
_UNSPEAKABLE = {errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL}
_IMMOVABLE = {errno.EACCES, errno.EPERM, errno.EROFS}


def file_away(source: Path, folder: Path) -> Path | None:
    """Move `source` into `folder` as NAME.EXT, or `NAME (2).EXT`, …; return the new path.

    None if the recording may not be moved (it is locked, or its folder is read-only) although
    `folder` would take it: it stays where it is. Raises OSError if `folder` is what is wrong.
    """
    try:
        return _move(source, folder, source.stem, source.suffix)
    except OSError as error:
        if error.errno in _IMMOVABLE and os.access(folder, os.W_OK | os.X_OK):
            return None
        if error.errno not in _UNSPEAKABLE:
            raise
    return _move(source, folder, fitting(printable(source.stem), ""), printable(source.suffix)[:20])


def report_of(file: Path) -> Path:
    """The path of the report beside a failed file; unique even where the name had to be cut."""
    name = fitting(file.name, REPORT_SUFFIX)
    if name != file.name:
        name = f"{name} {hashlib.sha256(os.fsencode(file.name)).hexdigest()[:8]}"
    return file.with_name(name + REPORT_SUFFIX)


def _move(source: Path, folder: Path, stem: str, suffix: str) -> Path:
    for number in count(1):
        mark = f" ({number})" if number > 1 else ""
        target = folder / f"{_cut(stem, mark + suffix)}{mark}{suffix}"
        try:
            move_without_clobbering(source, target)
        except FileExistsError:
            continue
        return target
    raise AssertionError("counting does not end")


def _cut(stem: str, ending: str) -> str:
    """`stem`, shortened at a character if it would not fit before `ending`."""
    room = _MAX_NAME_BYTES - len(os.fsencode(ending))
    raw = os.fsencode(stem)
    return stem if len(raw) <= room else raw[:room].decode("utf-8", "ignore")
