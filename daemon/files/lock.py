"""One daemon a state folder: a lock that the kernel lets go of when the holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

from daemon.errors import TemporaryError

_NAME = "daemon.lock"
_TRIES = 10  # a tenth of a second apart, …
_PAUSE = 0.1  # … since `is_held` takes the lock for a moment just to ask


class Lock:
    """Held from `with` to its end. Raises TemporaryError if somebody else holds it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / _NAME

    def __enter__(self) -> Lock:
        # Not inheritable (PEP 446): a child that outlives us must not keep the lock.
        self._fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        for _ in range(_TRIES):
            if _taken(self._fd):
                return self
            time.sleep(_PAUSE)
        os.close(self._fd)
        raise TemporaryError(
            f"another dropscribe is running with the state in {self._path.parent}:"
            " stop it first, or use another configuration"
        )

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)


def is_held(folder: Path) -> bool:
    """Whether a daemon runs with this state folder."""
    try:
        fd = os.open(folder / _NAME, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    except OSError:
        return False  # no daemon has ever run here
    try:
        return not _taken(fd)
    finally:
        os.close(fd)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
