"""Signs that whoever wrote a file is done with it, so that it need not stand still first.

All hold only on a volume of this machine and only while nobody has the file open for writing.
Its dates: what happened to it last came a good while after its last write, so it was renamed,
linked or given its dates, which copying programs do at the end. A rename inside the inbox. And,
on Linux, the kernel's word that its writer has closed it; one that opens it again and again to
append says nothing by closing it.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from watchdog import events

from daemon.config.settings import Watch
from daemon.domain.job import Candidate

_REMEMBERED = 10_000  # paths


class FinishedFiles:
    """Which files bear such a sign; none where `watch.settle_early` is off.

    `is_closed(path, since)` answers whether nobody had a file open for writing at `since`
    (monotonic) or later, as far as that can be known.
    """

    def __init__(self, watch: Watch, is_closed: Callable[[Path, float], bool]) -> None:
        self._is_asked = watch.settle_early
        self._settle_ns = round(watch.settle_seconds * 1e9)
        self._is_closed = is_closed
        self._is_done: dict[str, bool] = {}  # of what was closed: False where it was opened again

    def on_event(self, event: events.FileSystemEvent) -> None:
        """Called in the watcher's thread, in the order in which things happened."""
        path = os.fsdecode(event.src_path)
        match event.event_type:
            case events.EVENT_TYPE_CLOSED:
                self._remember(path, path not in self._is_done)
            case events.EVENT_TYPE_MODIFIED if path in self._is_done:
                self._remember(path, False)
            case events.EVENT_TYPE_CREATED | events.EVENT_TYPE_DELETED:
                self._is_done.pop(path, None)
            case events.EVENT_TYPE_MOVED:
                self._is_done.pop(path, None)
                self._remember(os.fsdecode(event.dest_path), True)
            case _:
                pass

    def _remember(self, path: str, is_done: bool) -> None:
        self._is_done[path] = is_done
        while len(self._is_done) > _REMEMBERED:
            self._is_done.pop(next(iter(self._is_done)))

    def __call__(self, candidate: Candidate, now: float) -> bool:
        """Whether a file that a scan found which began at `now` (monotonic) bears such a sign."""
        found = candidate.identity
        if not self._is_asked or candidate.refusal is not None or found.size == 0:
            return False
        has_dates = found.ctime_ns - found.mtime_ns >= self._settle_ns
        has_sign = has_dates or self._is_done.get(str(candidate.path), False)
        return has_sign and self._is_closed(candidate.path, now)
