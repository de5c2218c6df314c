"""A folder's path as its volume writes it: links followed, letter case as it is stored.

On a Mac's usual volumes, ~/dropscribe and ~/Dropscribe are one folder. watchdog compares the paths
of events with the path that it was given, letter by letter, and drops those that differ in case.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from daemon.files.answering import answer_within

_F_GETPATH = 50  # sys/fcntl.h of macOS: the path of an open file
_MAXPATHLEN = 1024  # sys/param.h
_O_EVTONLY = 0x8000  # sys/fcntl.h: open it for its events only, which needs no consent to read

_SECONDS = 3.0  # for links to be followed


def resolved(folders: Mapping[str, Path]) -> dict[str, Path]:
    """Their links followed; as they are written if a disk or server among them does not answer."""
    try:
        return answer_within(
            _SECONDS, lambda: {key: folder.resolve() for key, folder in folders.items()}
        )
    except TimeoutError:
        return {key: Path(os.path.normpath(folder)) for key, folder in folders.items()}


def real_path(
    folder: Path,
    platform: str = sys.platform,
    ask: Callable[[int, int, bytes], bytes] = fcntl.fcntl,
) -> Path:
    """The one path of `folder`; with its links followed alone where it is not there."""
    resolved = folder.resolve()
    if platform != "darwin":
        return resolved
    try:
        fd = os.open(resolved, _O_EVTONLY | os.O_CLOEXEC)
        try:
            found = ask(fd, _F_GETPATH, bytes(_MAXPATHLEN))
        finally:
            os.close(fd)
    except OSError:
        return resolved
    return Path(os.fsdecode(found.split(b"\0", 1)[0]))
