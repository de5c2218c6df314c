"""One daemon a state folder and an inbox: locks that the kernel lets go of when the holder dies.

The state folder's is taken by daemon_lock.py: what only asks for it, as `status`, is to start fast.
"""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

from daemon.errors import TemporaryError
from daemon.files.state_folder import LOCK

_NO_LOCKS = {errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOLCK, errno.EBADF, errno.EINVAL, errno.ENOSYS}


class FolderLock:
    """On a folder itself, so that nothing of ours lies in it: an inbox is watched by one daemon.

    Where the volume knows no such lock (some network volumes), there is none.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._fd: int | None = None

    def hold(self) -> None:
        """Take the lock, or keep it; again if the folder was replaced.

        Raises TemporaryError if another daemon has it, OSError if the folder is not there.
        """
        if self._fd is not None and os.path.samestat(os.fstat(self._fd), self.folder.stat()):
            return
        self.close()
        fd = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(fd)
            raise TemporaryError(
                f"another dropscribe watches {self.folder}: give each its own inbox"
            ) from error
        except OSError as error:
            if error.errno not in _NO_LOCKS:
                os.close(fd)
                raise
        self._fd = fd

    def close(self) -> None:
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def is_held(folder: Path) -> bool:
    """Whether a daemon runs with this state folder."""
    try:
        fd = os.open(folder / LOCK, os.O_RDWR | os.O_CLOEXEC)
    except OSError:
        return False  # no daemon has ever run here
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)  # as filelock does
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
    return False
