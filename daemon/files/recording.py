"""A user's recording: opened with distrust, and recognised as the file that was read."""

from __future__ import annotations

import contextlib
import os
from io import BufferedReader
from pathlib import Path

from daemon.domain.job import Identity
from daemon.files.atomic import sha256_of_open


def open_recording(path: Path) -> BufferedReader:
    """Open what lies at `path`, following no link and waiting for no pipe. Raises OSError.

    Another file may have taken the recording's place: look at what is open, not at `path` again.
    """
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    return os.fdopen(os.open(path, flags), "rb")


def is_unchanged(path: Path, identity: Identity) -> bool:
    """Whether the very file that was settled is still there, not even touched."""
    with contextlib.suppress(FileNotFoundError):
        return Identity.of(os.lstat(path)) == identity
    return False


def holds_the_bytes(path: Path, identity: Identity, sha256: str | None) -> bool:
    """Whether the file that was read is there with the bytes that were read, touched or not.

    Raises OSError.
    """
    if is_unchanged(path, identity):
        return True
    with contextlib.suppress(FileNotFoundError):
        if _is_same_file(os.lstat(path), identity):
            with open_recording(path) as file:
                same = _is_same_file(os.fstat(file.fileno()), identity)
                return same and sha256_of_open(file) == sha256
    return False


def _is_same_file(found: os.stat_result, identity: Identity) -> bool:
    """Whatever its times are now."""
    now = Identity.of(found)
    return (now.inode, now.size) == (identity.inode, identity.size)
