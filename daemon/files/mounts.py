"""Which volume each of our folders lies on, so that an empty mount point is not taken for one.

When a network or USB volume goes away, its mount point may stay behind as an empty folder. To
conclude from it that every recording was deleted, or to write results there, would be wrong.
"""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterable
from pathlib import Path

from daemon.files.atomic import write_json

NAME = "volumes.json"


class Mounts:
    """Remembers mount points in the state folder, over restarts and reboots."""

    def __init__(self, state: Path) -> None:
        self._path = state / NAME
        self._known: dict[str, str] = {}
        with contextlib.suppress(OSError, ValueError):
            found = json.loads(self._path.read_bytes())
            self._known = {str(key): str(value) for key, value in found.items()}

    def check(self, folders: Iterable[Path]) -> None:
        """Raises OSError (ENODEV) for a folder whose volume is not mounted; learns about others."""
        for folder in folders:
            known = self._known.get(str(folder))
            if known is not None and not os.path.ismount(known):
                raise OSError(errno.ENODEV, f"the volume {known} is not mounted: connect it")
            if known is None and folder.is_dir():
                self._known[str(folder)] = str(_mount_point(folder.resolve()))
                write_json(self._path, self._known)


def _mount_point(folder: Path) -> Path:
    return next(path for path in (folder, *folder.parents) if os.path.ismount(path))
