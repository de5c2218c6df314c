"""When the inbox is scanned, and what follows from a scan that fails."""

from __future__ import annotations

import math
import sqlite3
from collections.abc import Callable
from functools import partial
from itertools import islice

from daemon.domain.names import printable
from daemon.domain.transcript import Json
from daemon.files.faults import explain
from daemon.files.guarded import why_blocked
from daemon.inbox.reader import Reader
from daemon.inbox.scan import Look
from daemon.inbox.schedule import ScanSchedule
from daemon.inbox.watcher import Watcher
from daemon.supervisor.admission import Admission
from daemon.supervisor.context import Context

_SHOWN = 50  # files that the status lists
_SOONEST = 1.0  # seconds between two looks at a scan that is overdue


class InboxWatch:
    """File events only ask for a scan; a scan decides. `watcher` is None where events are off.

    A scan begins in the loop, looks into the folder in `reader`'s thread, and ends in the loop.
    `before_look` is called in the loop, `secure` in the thread: it makes sure of the folder.
    """

    def __init__(
        self,
        context: Context,
        admission: Admission,
        watcher: Watcher | None,
        reader: Reader[Look],
        before_look: Callable[[], None],
        secure: Callable[[], None],
    ) -> None:
        self._context = context
        self._admission = admission
        self._watcher = watcher
        self._reader = reader
        self._before_look = before_look
        self._secure = secure
        rescan = context.config.watch.rescan_seconds
        self._schedule = ScanSchedule(context.clock(), rescan, context.pause.retry_seconds)
        self._begun = context.clock()
        self._told_at = -math.inf  # when the queue was last paused because a scan was overdue
        self._has_slept = False

    def due(self) -> float:
        """When the next scan is due, or the one that began is overdue (monotonic)."""
        if self._admission.has_more:
            return -math.inf
        if self._reader.is_busy:
            again = self._told_at + max(self._context.pause.retry_seconds, _SOONEST)
            return max(self._reader.overdue_at(), again)
        return self._schedule.due(self._admission.due())

    def request_scan(self) -> None:
        """Something happened in the inbox, or may have."""
        self._schedule.request(self._context.clock())

    def scan(self, now: float) -> bool:
        """Begin to look; where the folder does not answer, the queue pauses until it does.

        While a look that ended found more than was decided about, decide about some of that: True
        if a new file is settling.
        """
        if self._admission.has_more:
            return self._go_on()
        self._begin(now)
        return False

    def _begin(self, now: float) -> None:
        if self._reader.is_overdue(now):
            self._told_at = now
            self._context.pause.begin("inbox", why_blocked(self._context.config.paths.inbox), now)
        if self._reader.is_busy:
            return
        self._begun = now
        try:
            self._before_look()
        except OSError as error:
            self._fail(error)
            return
        self._admission.before_look()
        try:
            self._reader.begin(partial(self._look, self._has_slept))
        except OSError as error:  # no room for a thread
            self._fail(error)
        else:
            self._has_slept = False

    def _look(self, has_slept: bool) -> Look:
        """In the reader's thread, which alone tends the watcher."""
        if self._watcher is not None:
            if has_slept:  # file events may have been lost: a new watcher
                self._watcher.stop()
            self._watcher.tend()
        self._secure()
        return self._admission.look()

    def take_in(self) -> bool:
        """Decide about what a look that has ended found, or begin to; True if a new file settles.

        A missing inbox pauses the queue, and so does a ledger that does not take its files.
        """
        if not self._reader.has_ended:
            return False
        try:
            self._admission.take_in(self._reader.take(), self._begun)
        except (OSError, sqlite3.OperationalError) as error:
            self._fail(error)
            return False
        return self._go_on()

    def _go_on(self) -> bool:
        context, admission = self._context, self._admission
        before = admission.settling
        try:
            is_compared = admission.go_on(context.unix_time())
        except (OSError, sqlite3.OperationalError) as error:
            admission.drop()
            self._fail(error)
            return False
        if is_compared:
            self._schedule.scanned(self._begun, context.clock(), admission.anything_missing)
            context.pause.end("inbox")
        return admission.settling > before

    def _fail(self, error: OSError | sqlite3.OperationalError) -> None:
        now = self._context.clock()
        self._schedule.failed(self._begun, now)
        self._context.pause.begin("inbox", explain(error), now)

    def after_sleep(self) -> None:
        """File events may have been lost: look again, with a new watcher."""
        self._has_slept = True
        self.request_scan()

    def stop(self) -> None:
        """A watcher that is being tended at this moment ends with the program."""
        if self._watcher is not None and not self._reader.is_busy:
            self._watcher.stop()

    def is_at_rest(self) -> bool:
        """Whether every file in the inbox is a job by now, or no recording."""
        if self._reader.is_busy or self._admission.has_more:
            return False
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

    def take_in(self) -> bool:
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
