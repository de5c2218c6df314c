"""What others could change, which has to be ours alone, as with ssh; and what is shared."""

from __future__ import annotations

import os
import shlex
import shutil
import stat
from collections.abc import Collection, Iterable
from pathlib import Path

from daemon.errors import UsageError

_OTHERS_MAY_WRITE = stat.S_IWGRP | stat.S_IWOTH


def check_is_ours(path: Path, what: str) -> None:
    """Raises UsageError, with the remedy, if somebody else could write `path` or replace it.

    Nothing is wrong with what does not exist, nor with what only root could change.
    """
    for place in (path, path.parent):
        try:
            found = place.stat()
        except OSError:
            continue
        sticky_folder = place is not path and bool(found.st_mode & stat.S_ISVTX)
        if found.st_uid not in (os.getuid(), 0):
            raise UsageError(f"{what} {path} is not used: {place} belongs to somebody else")
        if found.st_mode & _OTHERS_MAY_WRITE and not sticky_folder:
            remedy = f"chmod go-w {shlex.quote(str(place))}"
            raise UsageError(f"{what} {path} is not used: others may write {place}. Run: {remedy}")


def share(files: Iterable[Path], folders: Collection[Path], mode: str, group: str) -> None:
    """Give them `mode` (octal, such as "0640") and `group`; "" leaves what is there.

    Raises OSError.
    """
    files = tuple(files)
    if mode:
        bits = int(mode, 8)
        for path in files:
            path.chmod(bits)
        for folder in folders:  # who may read a file may enter its folder
            folder.chmod(0o700 | bits | (bits & 0o444) >> 2)
    if group:
        for path in (*files, *folders):
            shutil.chown(path, group=group)
