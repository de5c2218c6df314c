"""status.json: what the daemon is doing, for `dropscribe status` and for whoever asks."""

from __future__ import annotations

import datetime
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from daemon import __version__
from daemon.domain.transcript import Json
from daemon.files.atomic import write_json
from daemon.files.faults import explain
from daemon.files.state_folder import STATUS

_MIN_SECONDS = 1.0  # between two writes


class StatusFile:
    """Written when something changes, at most once a second, and at each scan as a heartbeat.

    Work goes on where it cannot be written: that is told to `complain`, once, until it can.
    """

    def __init__(self, folder: Path, complain: Callable[[str], None] = lambda line: None) -> None:
        self._path = folder / STATUS
        self._complain = complain
        self._is_told = False
        self._base: Json = {
            "version": __version__,
            "pid": os.getpid(),
            "started": _now(),
            "started_at": time.time(),
        }
        self._content: Json = {"state": "starting", "reason": "", "watcher": "", "working_on": []}
        self._at = -math.inf
        self._stale = False

    def write(
        self,
        state: str,
        reason: str,
        watcher: str,
        working_on: Sequence[Json],
        now: float,
        inbox: Sequence[Json] = (),
        hosts: Sequence[Json] = (),
        hanging: Sequence[Json] = (),
    ) -> None:
        """`working_on` has an object for each attempt, `inbox` for each file that waits, `hosts`
        for each other machine, `hanging` for each copy that stands still.

        `now` is monotonic.
        """
        content: Json = {
            "state": state,
            "reason": reason,
            "watcher": watcher,
            "working_on": list(working_on),
            "inbox": list(inbox),
            "hosts": list(hosts),
            "hanging": list(hanging),
        }
        self._stale = self._stale or content != self._content
        self._content = content
        if self._stale and now - self._at >= _MIN_SECONDS:
            self.beat(now)

    def due(self) -> float:
        """When the next write is due (monotonic); infinity if the file is up to date."""
        return self._at + _MIN_SECONDS if self._stale else math.inf

    def beat(self, now: float) -> None:
        """Write even if nothing changed: the daemon is alive."""
        self._at = now
        self._stale = False
        try:
            write_json(self._path, self._base | self._content | {"updated": _now()})
        except OSError as error:
            self._stale = True
            if not self._is_told:
                self._complain(f"the daemon's status cannot be written: {explain(error)}")
            self._is_told = True
        else:
            self._is_told = False


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
