"""Folders in the inbox that their recordings left: removed once nothing has come for a while."""

from __future__ import annotations

import time
from pathlib import Path

from daemon.files.real_path import real_path

_EMPTY_SECONDS = 10.0  # for which a folder in the inbox stays empty before it is removed
_FINDERS = ".DS_Store"  # the Finder's own file in every folder that was looked at


class EmptiedFolders:
    """Inside `inbox`, which itself stays."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox
        self._since: dict[Path, float] = {}  # monotonic

    def note(self, folder: Path) -> None:
        """A recording has left it: a folder inside the inbox."""
        self._since[folder] = time.monotonic()

    def remove(self, after_seconds: float = _EMPTY_SECONDS) -> None:
        """Remove those that are due, and the folders around them that this leaves empty."""
        now = time.monotonic()
        due = [folder for folder, since in self._since.items() if now - since >= after_seconds]
        for folder in sorted(due, key=lambda folder: len(folder.parts), reverse=True):
            del self._since[folder]
            for emptied in (folder, *folder.parents):
                if emptied == real_path(self._inbox) or not _is_removed(emptied):
                    break


def _is_removed(folder: Path) -> bool:
    """Remove a folder that holds nothing, or nothing but the Finder's own file."""
    try:
        if [entry.name for entry in folder.iterdir()] == [_FINDERS]:
            (folder / _FINDERS).unlink()
        folder.rmdir()  # which fails, as it should, if anything is in it
    except OSError:
        return False
    return True
