"""Volumes: which of them is mounted, and which tell us of changes.

When a network or USB volume goes away, its mount point may stay behind as an empty folder. To
conclude from it that every recording was deleted, or to write results there, would be wrong.
"""

from __future__ import annotations

import contextlib
import errno
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Protocol

import psutil

from daemon.files.answering import asked_in_thread
from daemon.files.atomic import BreakOff, write_json
from daemon.files.guarded import why_blocked
from daemon.files.state_folder import VOLUMES

# File system types: macOS's (mount(8)), Linux's, and drivers in user space on both (fuse.sshfs).
_NETWORK = {"smbfs", "nfs", "afpfs", "webdav", "ftp", "cifs", "smb3", "nfs4", "9p", "ceph"}
_SECONDS = 3.0  # for a folder's answer
_FRESH_SECONDS = 1.0  # for which a server that has answered is not asked again in a thread
_NETWORK_IN_USER_SPACE = {"sshfs", "rclone", "s3fs", "davfs", "gvfsd-fuse"}


class Mount(Protocol):
    """One mounted volume, as psutil lists them."""

    @property
    def mountpoint(self) -> str: ...

    @property
    def fstype(self) -> str: ...


def mounts() -> Iterable[Mount]:
    """Every volume, network volumes included; reading the list waits for none of them."""
    return psutil.disk_partitions(all=True)


def needs_polling(folder: Path, mounts: Callable[[], Iterable[Mount]] = mounts) -> bool:
    """Whether `folder` lies on a volume whose changes make no file events here."""
    real = Path(os.path.realpath(folder))
    inside = [mount for mount in mounts() if real.is_relative_to(mount.mountpoint)]
    nearest = max(inside, key=lambda mount: len(mount.mountpoint), default=None)
    if nearest is None:
        return False
    kind, _, driver = nearest.fstype.lower().partition(".")
    return kind in _NETWORK or driver in _NETWORK_IN_USER_SPACE


class Mounts:
    """Remembers mount points in the state folder, over restarts and reboots."""

    def __init__(self, state: Path, may_break_off: BreakOff = contextlib.nullcontext) -> None:
        self._path = state / VOLUMES
        self._may_break_off = may_break_off  # around a wait
        self._learning = threading.Lock()  # the inbox is looked at in a thread of its own
        self._known: dict[str, str] = {}
        self._asked: dict[tuple[Path, ...], _Question] = {}
        self._answered: dict[tuple[Path, ...], float] = {}  # when, monotonic
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self._path.read_bytes())
            self._known = {str(key): str(value) for key, value in found.items()}

    def check(self, folders: Iterable[Path]) -> None:
        """Raises OSError (ENODEV) for a folder whose volume is not mounted; learns about others."""
        mounted: set[str] = set()  # most folders lie on one volume
        for folder in folders:
            known = self._known.get(str(folder))
            if known is not None and known not in mounted:
                if not os.path.ismount(known):
                    raise OSError(errno.ENODEV, f"the volume {known} is not mounted: connect it")
                mounted.add(known)
            if known is None and folder.is_dir():
                found = str(_mount_point(folder.resolve()))
                with self._learning:
                    self._known[str(folder)] = found
                    write_json(self._path, self._known)

    def check_answering(self, folders: Iterable[Path]) -> None:
        """As `check`, and raises OSError (ETIMEDOUT) for a folder whose server does not answer.

        It waits once: while that question is open, it raises at once. A thread for each delivery is
        dear: what answered within the last second is checked here.
        """

        asked = tuple(folders)
        if time.monotonic() - self._answered.get(asked, -math.inf) < _FRESH_SECONDS:
            self.check(asked)
            return
        seconds, question = 0.0, self._asked.get(asked)
        if question is None or question.answer.done():
            seconds, question = _SECONDS, _Question(self.check, asked)
            self._asked[asked] = question
        try:
            with self._may_break_off():
                question.answer.result(seconds)
        except TimeoutError:
            raise OSError(errno.ETIMEDOUT, why_blocked(question.at)) from None
        self._answered[asked] = time.monotonic()


class _Question:
    """Whether folders answer, asked in a thread, one after the other; `at` is where it is."""

    def __init__(self, check: Callable[[Iterable[Path]], None], folders: Sequence[Path]) -> None:
        self.at = folders[0]

        def ask() -> None:
            for self.at in folders:
                check([self.at])
                os.path.exists(self.at)  # noqa: PTH110 - only whether there is an answer

        self.answer = asked_in_thread(ask)


def _mount_point(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if os.path.ismount(path))
