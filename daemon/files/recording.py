"""A user's recording: opened with distrust, and recognised as the file that was read."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable
from io import BufferedReader
from pathlib import Path

from daemon.domain.job import Identity
from daemon.files.atomic import Check, sha256_of_open


def open_recording(path: Path) -> BufferedReader:
    """Open what lies at `path`, following no link and waiting for no pipe. Raises OSError.

    Another file may have taken the recording's place: look at what is open, not at `path` again.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags), "rb")


def read_small(path: Path, limit: int) -> bytes:
    """What the regular file at `path` holds, if that is at most `limit` bytes. Raises OSError.

    For files in folders where others may write: they can plant pipes, links and giants.
    """
    with open_recording(path) as file:
        found = os.fstat(file.fileno())
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "this is no regular file", str(path))
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(errno.EFBIG, f"it is larger than {limit} bytes", str(path))
    return data


def is_unchanged(path: Path, identity: Identity) -> bool:
    """Whether the very file that was settled is still there, not even touched."""
    with contextlib.suppress(FileNotFoundError):
        return Identity.of(os.lstat(path)) == identity
    return False


def still_holds(
    path: Path,
    identity: Identity,
    sha256: str | None,
    read_again: Callable[[Identity, str], bool],
) -> Identity | None:
    """The identity, as it is now, of the file that was read; None if its bytes may be others.

    Whether a file whose times were touched has the same bytes as before, `read_again` is asked: to
    read it takes a minute where it is large. Raises OSError.
    """
    try:
        now = Identity.of(os.lstat(path))
    except (FileNotFoundError, PermissionError):
        return None
    if is_same_file(now, identity):
        return now
    if (now.inode, now.size) != (identity.inode, identity.size) or sha256 is None:
        return None
    return now if read_again(now, sha256) else None


def has_bytes(path: Path, identity: Identity, sha256: str, check: Check) -> bool:
    """Whether the very file of that identity lies at `path`, with these bytes. Raises OSError."""
    try:
        with open_recording(path) as file:
            is_meant = Identity.of(os.fstat(file.fileno())) == identity
            return is_meant and sha256_of_open(file, check) == sha256
    except (FileNotFoundError, PermissionError):
        return False


def is_same_file(one: Identity, other: Identity) -> bool:
    """Whatever their change times are: a rename or a new mode sets those."""
    return (one.inode, one.size, one.mtime_ns) == (other.inode, other.size, other.mtime_ns)
