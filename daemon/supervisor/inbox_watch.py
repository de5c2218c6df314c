"""When the inbox is scanned, and what follows from a scan that fails."""

from __future__ import annotations

import math
from itertools import islice

from daemon.domain.names import printable
from daemon.domain.transcript import Json
from daemon.files.faults import explain
from daemon.inbox.schedule import ScanSchedule
from daemon.inbox.watcher import Watcher
from daemon.supervisor.admission import Admission
from daemon.supervisor.context import Context

_SHOWN = 50  # files that the status lists


class InboxWatch:
    """File events only ask for a scan; a scan decides. `watcher` is None where events are off."""

    def __init__(self, context: Context, admission: Admission, watcher: Watcher | None) -> None:
        self._context = context
        self._admission = admission
        self._watcher = watcher
        rescan = context.config.watch.rescan_seconds
        self._schedule = ScanSchedule(context.clock(), rescan, context.pause.retry_seconds)

    def due(self) -> float:
        """When the next scan is due (monotonic)."""
        return self._schedule.due(self._admission.due())

    def request_scan(self) -> None:
        """Something happened in the inbox, or may have."""
        self._schedule.request(self._context.clock())

    def scan(self, now: float) -> bool:
        """Look once; True if a new file is settling. A missing inbox pauses the queue."""
        context = self._context
        if self._watcher is not None:
            self._watcher.tend()
        try:
            is_settling = self._admission.scan(now, context.unix_time())
        except OSError as error:
            self._schedule.failed(now, context.clock())
            context.pause.begin("inbox", explain(error), now)
            return False
        self._schedule.scanned(now, context.clock(), self._admission.anything_missing)
        context.pause.end("inbox")
        return is_settling

    def after_sleep(self) -> None:
        """File events may have been lost: look again, with a new watcher."""
        self.request_scan()
        self.stop()

    def stop(self) -> None:
        if self._watcher is not None:
            self._watcher.stop()

    def is_at_rest(self) -> bool:
        """Whether every file in the inbox is a job by now, or no recording."""
        return not self._admission.settling and not self._admission.anything_missing

    def waiting(self) -> list[Json]:
        """Files that are not read yet, and why, for the status."""
        return [
            {"name": printable(path.name), "reason": reason}
            for path, reason in islice(self._admission.waiting.items(), _SHOWN)
        ]

    def watcher_problem(self) -> str:
        """Why there are no file events at this moment; "" if all is well."""
        return self._watcher.problem if self._watcher is not None else "off"


class NoInbox:
    """For jobs that were named by hand: there is nothing to scan."""

    def due(self) -> float:
        return math.inf

    def request_scan(self) -> None:
        """There is nothing to look through."""

    def scan(self, now: float) -> bool:
        return False

    def after_sleep(self) -> None:
        """No file events can have been lost."""

    def stop(self) -> None:
        """Nothing was started."""

    def is_at_rest(self) -> bool:
        return True

    def waiting(self) -> list[Json]:
        return []

    def watcher_problem(self) -> str:
        return "off"
