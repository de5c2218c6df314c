"""The lock of the state folder: one daemon works there."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

from filelock import FileLock, Timeout

from daemon.errors import TemporaryError
from daemon.files.state_folder import LOCK

_SECONDS = 1.0  # of trying, since `is_held` takes the lock for a moment just to ask


class Lock:
    """Held from `with` to its end. Raises TemporaryError if somebody else holds it."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LOCK
        self._lock = FileLock(self._path, timeout=_SECONDS, mode=0o600)
        self._inode: tuple[int, int] | None = None

    def __enter__(self) -> Lock:
        try:
            self._lock.acquire()
        except Timeout as error:
            raise TemporaryError(
                f"another dropscribe is running with the state in {self._path.parent}:"
                " stop it first, or use another configuration"
            ) from error
        self._inode = _inode(self._path)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    def check(self) -> None:
        """Raises TemporaryError once the lock's file is gone from its place, or replaced.

        Somebody deleted the state folder; a second daemon could take its own lock there.
        """
        if self._inode is None or _inode(self._path) != self._inode:
            raise TemporaryError(
                f"the state folder {self._path.parent} was removed or replaced: starting anew"
            )


def _inode(path: Path) -> tuple[int, int] | None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino
