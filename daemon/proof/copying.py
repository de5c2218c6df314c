"""A copy watched while it is made: its events, its dates, its letter case.

The Finder's copy needs a person; a copy made here with its dates stands in for it.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer

from daemon.files.real_path import real_path
from daemon.inbox.finder_info import Busy, probe, readiness
from daemon.inbox.watcher import RINGING
from daemon.proof.items import CouldNotError, Found

_STILL_SECONDS = 3.0
_LOOK_SECONDS = 0.05
_SUFFIX = ".wav"


class _Recorder(FileSystemEventHandler):
    def __init__(self) -> None:
        self.kinds: list[str] = []

    def on_any_event(self, event: FileSystemEvent) -> None:
        self.kinds.append(event.event_type)


def letter_case(home: Path) -> tuple[bool, Found]:
    """Whether events come for a folder that is named in another case than it is stored in."""
    with tempfile.TemporaryDirectory(prefix="dropscribe-Case-", dir=home) as made:
        folder = Path(made)
        other = folder.with_name(folder.name.swapcase())
        if not other.exists():
            raise CouldNotError("this volume tells upper from lower case")
        corrected = real_path(other) == real_path(folder)
        with _watched(real_path(other)) as recorder:
            _write(folder)
            deadline = time.monotonic() + _STILL_SECONDS
            while not recorder.kinds and time.monotonic() < deadline:
                time.sleep(_LOOK_SECONDS)
        return corrected and bool(recorder.kinds), {
            "path_is_corrected": corrected,
            "events": sorted(set(recorder.kinds)),
        }


def copy(home: Path, by_finder_seconds: float = 0.0) -> tuple[bool, Found]:
    """Whether a copy is left alone until it is whole, and then rings.

    With `by_finder_seconds`, opens a folder and waits that long for a person's copy.
    """
    with tempfile.TemporaryDirectory(prefix="dropscribe-copy-", dir=home) as made:
        inbox = real_path(Path(made) / "inbox")
        inbox.mkdir()
        seen = _Seen(inbox)
        with _watched(inbox) as recorder:
            if by_finder_seconds:
                _invite(inbox)
            else:
                source = Path(made) / f"source{_SUFFIX}"
                _write(source.parent, source.name)
                shutil.copy2(source, inbox / source.name)
            seen.until_still(by_finder_seconds or _STILL_SECONDS * 3)
        rings = [kind for kind in recorder.kinds if kind in RINGING]
        found: Found = {"by_finder": bool(by_finder_seconds), **seen.found()}
        found |= {"events": recorder.kinds[:50], "last_rings": bool(rings)}
        return bool(rings) and seen.sizes == sorted(seen.sizes), found


class _Seen:
    """What a file that is being copied looked like, from its first byte to its stillness."""

    def __init__(self, inbox: Path) -> None:
        self._inbox = inbox
        self.sizes: list[int] = []
        self._births: list[float | None] = []
        self._infos: list[str] = []
        self._was_busy = False

    def until_still(self, seconds: float) -> None:
        deadline, still_since = time.monotonic() + seconds, time.monotonic()
        while time.monotonic() < deadline:
            if self._look():
                still_since = time.monotonic()
            elif self.sizes and time.monotonic() - still_since > _STILL_SECONDS:
                return
            time.sleep(_LOOK_SECONDS)
        if not self.sizes:
            raise CouldNotError("nothing was copied")

    def _look(self) -> bool:
        """True if it has changed."""
        path = next((one for one in self._inbox.iterdir() if one.name[0] != "."), None)
        if path is None:
            return False
        status = path.lstat()
        facts = probe(path, status)
        self._was_busy |= isinstance(readiness(path, status), Busy)
        now = (status.st_size, facts.birth, facts.finder_info[:8].hex())
        before = (*(self.sizes[-1:]), *(self._births[-1:]), *(self._infos[-1:]))
        if now == before:
            return False
        self.sizes.append(now[0])
        self._births.append(now[1])
        self._infos.append(now[2])
        return True

    def found(self) -> dict[str, Any]:
        births = [None if birth is None else round(birth) for birth in self._births]
        return {
            "looks": len(self.sizes),
            "was_busy": self._was_busy,
            # A date that means "being copied" lies before 1990; the rest is nobody's business.
            "births_before_1990": [birth for birth in births if birth and birth < 631_152_000],
            "finder_info": sorted(set(self._infos)),
        }


@contextmanager
def _watched(folder: Path) -> Iterator[_Recorder]:
    """Its events, until the block ends."""
    recorder, observer = _Recorder(), Observer()
    observer.schedule(recorder, str(folder))
    observer.start()
    try:
        yield recorder
    finally:
        observer.stop()
        observer.join(_STILL_SECONDS)


def _write(folder: Path, name: str = f"probe{_SUFFIX}") -> None:
    (folder / name).write_bytes(bytes(100_000))


def _invite(inbox: Path) -> None:
    sys.stderr.write("Copy a large file with the Finder into the folder that opens now.\n")
    subprocess.run(["open", str(inbox)], check=False)
