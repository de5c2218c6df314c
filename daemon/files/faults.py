"""What is wrong with the machine, not with a recording: its errors as sentences for a person."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path

from daemon.files.state_folder import TEMP_PREFIX

# What to do about an error number; whatever is not here is said in the system's own words.
_REMEDIES = {
    errno.ENOSPC: "the disk is full: free some space",
    errno.EDQUOT: "the disk quota is used up: free some space",
    errno.EROFS: "the disk is read-only",
    errno.EIO: "the disk reported an input/output error: check it",
    errno.ENOENT: "the folder is missing: create it, or mount its volume",
    errno.ENOTDIR: "there is a file where the folder should be",
    errno.EACCES: "permission denied: check the folder's permissions",
    errno.EPERM: "macOS privacy settings deny access: grant it in System Settings,"
    " Privacy & Security",
    errno.EMFILE: "too many files are open",
    errno.ENFILE: "the system has too many open files",
    errno.EAGAIN: "the system has no room for another process or thread",
    errno.ENOMEM: "the machine is out of memory",
}

# What a stage meets whichever file it works on. The others may be that one file's: its permissions,
# its folder.
_MACHINES = frozenset(
    {
        errno.ENOSPC,
        errno.EDQUOT,
        errno.EROFS,
        errno.EIO,
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
    }
)


def explain(error: OSError | sqlite3.Error) -> str:
    """A machine's fault as a sentence: where it is, and what to do now."""
    if isinstance(error, sqlite3.Error):
        # SQLite says of a quota that is used up that it is an I/O error.
        return f"the queue's database cannot be used ({error}): check the disk, and its quota"
    where = f" ({place})" if (place := _place(error)) else ""
    number = error.errno or 0
    return f"{_REMEDIES.get(number, error.strerror or str(error))}{where}"


def _place(error: OSError) -> str:
    """The path that it names; of a file of ours that has a new name each time, the folder."""
    path = error.filename2 or error.filename
    if not isinstance(path, str | bytes):
        return ""
    found = Path(os.fsdecode(path))
    for part in (found, *found.parents):
        if part.name.startswith(TEMP_PREFIX):
            return str(part.parent)
    return str(found)


def is_the_machines(error: OSError) -> bool:
    """Whether any other file would have met this error, too."""
    return error.errno in _MACHINES


def scarce_disk(folders: tuple[Path, ...], min_free_mb: int) -> str | None:
    """The reason to pause when a disk that we write to is nearly full. Raises OSError."""
    for folder in folders:
        free = shutil.disk_usage(folder).free // 1_000_000
        if free < min_free_mb:
            return (
                f"only {free} MB are free on the disk of {folder}"
                f" (limits.min_free_mb is {min_free_mb}): free some space"
            )
    return None
