"""Files that are whole or absent, whatever happens: temp file, fsync, rename, folder fsync."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import Any, BinaryIO

from daemon.files.renaming import UNSUPPORTED, StrPath, not_found
from daemon.files.state_folder import TEMP_PREFIX

CHUNK = 1 << 20  # bytes copied at a time
_UNSYNCED = 32 << 20  # bytes: a second of a slow disk's time
# How a file is opened that must not be there yet, not even as a link to elsewhere.
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

_FULL_SYNC = getattr(fcntl, "F_FULLFSYNC", None)  # macOS

# What copying is done within, so that it may be broken off between two chunks.
BreakOff = Callable[[], AbstractContextManager[None]]

Check = Callable[[], None]  # called between two pieces of slow work; raises to break it off


def never() -> None:
    """The check of work that nobody breaks off."""


def sync(fd: int) -> None:
    """Bring a file's or a folder's data to the medium.

    On macOS fsync(2) stops at the drive's cache; F_FULLFSYNC goes through it, where supported.
    """
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(fd, _FULL_SYNC)
        except OSError as error:
            if error.errno not in UNSUPPORTED:
                raise
        else:
            return
    os.fsync(fd)


def sync_folder(folder: StrPath) -> None:
    """Make renames and links inside `folder` durable."""
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(fd)
    except OSError as error:
        if error.errno not in UNSUPPORTED:  # some network volumes refuse fsync on folders
            raise
    finally:
        os.close(fd)


def hidden_path(folder: StrPath) -> str:
    """A new name in `folder` for what has no name yet, or no more: the next start sweeps it."""
    return f"{os.fspath(folder)}/{TEMP_PREFIX}{secrets.token_hex(8)}.tmp"


def remove_hidden(path: StrPath) -> None:
    """If it still has that name; what cannot be removed now goes at the next start."""
    with contextlib.suppress(OSError):
        os.unlink(path)  # noqa: PTH108 - text


@contextmanager
def hidden_file(folder: StrPath) -> Iterator[tuple[str, int]]:
    """A new hidden file in `folder`, mode 0600: its path and descriptor; none if the block raises.

    Without a Path and a file object: to make those takes longer than all the rest.
    """
    path = hidden_path(folder)
    fd = os.open(path, _NEW_FILE, 0o600)
    try:
        try:
            yield path, fd
        finally:
            os.close(fd)
    except BaseException:
        remove_hidden(path)
        raise


def sync_whole(fd: int, size: int, path: StrPath) -> None:
    """Bring a file to the medium that must have `size` bytes: `path` is named where it has not."""
    sync(fd)
    if os.fstat(fd).st_size != size:
        raise OSError(errno.EIO, "the file is not whole", os.fspath(path))


def write_temporary(folder: StrPath, data: bytes) -> str:
    """Write `data` to a new hidden file in `folder`, mode 0600, synced; return its path."""
    with hidden_file(folder) as (path, fd):
        _write(fd, data)
        sync_whole(fd, len(data), path)
    return path


def copy_to_temporary(
    folder: StrPath, source: BinaryIO, size: int, may_break_off: BreakOff = nullcontext
) -> str:
    """As `write_temporary`, with the `size` bytes that `source` holds."""
    with hidden_file(folder) as (path, fd):
        with may_break_off():
            copy_in_pieces(source, fd, size)
        sync_whole(fd, size, path)
    return path


def _write(fd: int, data: bytes) -> None:
    """All of it: the system may take less at a time."""
    left = memoryview(data)
    while left:
        left = left[os.write(fd, left) :]


class _SyncedWriter:
    """Writes to a descriptor, and syncs it every `_UNSYNCED` bytes; calls `check` before."""

    def __init__(self, fd: int, check: Check) -> None:
        self._fd = fd
        self._check = check
        self._unsynced = 0

    def write(self, data: bytes) -> None:
        self._check()
        _write(self._fd, data)
        self._unsynced += len(data)
        if self._unsynced >= _UNSYNCED:
            sync(self._fd)
            self._unsynced = 0


def copy_in_pieces(source: BinaryIO, target: int, size: int, check: Check = never) -> None:
    """Copy the `size` bytes left of `source` to the descriptor `target`.

    All but the last of it is on the medium then: a single sync of gigabytes takes many seconds,
    and cannot be broken off.
    """
    shutil.copyfileobj(source, _SyncedWriter(target, check), min(CHUNK, size + 1))


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by a file that holds exactly `data`."""
    folder = path.parent
    temporary = write_temporary(folder, data)
    try:
        os.replace(temporary, path)  # noqa: PTH105 - text
    except FileNotFoundError as error:
        meaning = not_found(error, temporary, path)
        remove_hidden(temporary)
        raise meaning from None
    except BaseException:
        remove_hidden(temporary)
        raise
    sync_folder(folder)


def write_json(path: Path, data: Any) -> None:  # noqa: ANN401 - whatever JSON can hold
    """Replace `path` atomically by `data` as JSON in one line, for programs.

    Indented JSON takes the encoder that is written in Python, ten times as long. NaN and infinity
    are refused (ValueError).
    """
    write_atomically(path, json_bytes(data, indent=None))


def json_bytes(data: Any, indent: int | None = 1) -> bytes:  # noqa: ANN401 - whatever JSON can hold
    """UTF-8 JSON, indented for people, without NaN. Surrogates (undecodable names) stay escaped."""
    try:
        return (
            json.dumps(data, ensure_ascii=False, indent=indent, allow_nan=False) + "\n"
        ).encode()
    except UnicodeEncodeError:
        return (json.dumps(data, indent=indent, allow_nan=False) + "\n").encode()


def sweep_temporaries(folder: Path) -> int:
    """Remove what an earlier process left half-written in `folder`; return how many."""
    leftovers = [path for path in folder.glob(f"{TEMP_PREFIX}*.tmp") if path.is_file()]
    for path in leftovers:
        path.unlink(missing_ok=True)
    return len(leftovers)


def sha256_of(path: Path) -> str:
    """In hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return sha256_of_open(file)


def sha256_of_open(file: BufferedReader, check: Check = never) -> str:
    """In hexadecimal, from where the file stands to its end. Raises OSError.

    `check` is called before each piece.
    """
    digest = hashlib.sha256()
    while piece := file.read(CHUNK):
        check()
        digest.update(piece)
    return digest.hexdigest()
