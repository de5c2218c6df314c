"""A fault of the machine pauses the queue: with a reason, burning no attempt, until it is gone."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path

from daemon.reporting.event_log import Journal

RETRY_SECONDS = 15.0

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
    errno.EAGAIN: "the system has no room for another process",
    errno.ENOMEM: "the machine is out of memory",
}


class Pause:
    """Why nothing is started at this moment, by topic, and when to try again (monotonic).

    Topics part what is checked by different acts: "inbox" by scans, "work" by stages and delivery,
    "machine" (its disk, its battery) before each start.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._reasons: dict[str, str] = {}
        self.until = 0.0

    @property
    def reason(self) -> str:
        """Why the queue is paused; "" if it is not."""
        return "; ".join(self._reasons.values())

    def holds(self, now: float) -> bool:
        return bool(self._reasons) and now < self.until

    def begin(self, topic: str, reason: str, now: float) -> None:
        """Pause, and say so once, however often the fault repeats itself."""
        self.until = now + RETRY_SECONDS
        if self._reasons.get(topic) != reason:
            self._reasons[topic] = reason
            self._journal.warn("paused", f"paused: {reason}", reason=reason)

    def end(self, topic: str) -> None:
        """Something that the fault prevented has worked."""
        if reason := self._reasons.pop(topic, None):
            self._journal.tell("resumed", f"resumed; it was: {reason}")


def explain(error: OSError | sqlite3.Error) -> str:
    """A machine's fault as a sentence: where it is, and what to do now."""
    if isinstance(error, sqlite3.Error):
        return f"the queue's database cannot be used ({error}): check the disk"
    path = error.filename2 or error.filename
    where = f" ({os.fsdecode(path)})" if isinstance(path, str | bytes) else ""
    number = error.errno or 0
    return f"{_REMEDIES.get(number, error.strerror or str(error))}{where}"


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
