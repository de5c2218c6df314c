"""The one loop: take an event, react, start what is next. The only writer of the ledger.

It knows files, rows and processes, and nothing of speech: no ML library is imported here.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from daemon.errors import TemporaryError
from daemon.files.faults import explain
from daemon.inbox.schedule import ScanSchedule
from daemon.inbox.watcher import Watcher
from daemon.processes.attempts import Concluded
from daemon.processes.worker import WorkerExited, WorkerMessage
from daemon.reporting.status_file import StatusFile
from daemon.supervisor.admission import Admission
from daemon.supervisor.context import Context
from daemon.supervisor.events import Event, InboxChanged, StopRequested
from daemon.supervisor.power import SleepInhibitor
from daemon.supervisor.scheduler import Scheduler
from daemon.supervisor.transitions import Transitions

_TICK = 0.5  # seconds between looks at the processes while any is at work
_LATE = 1.0  # seconds by which a look may be late before we hold the delay against ourselves
_WAKE_DRIFT = 5.0  # seconds by which the wall clock outruns the monotonic one when the Mac slept


class Supervisor:
    """Runs until stopped; with `drain`, until there is nothing left to do."""

    def __init__(
        self,
        context: Context,
        events: queue.SimpleQueue[Event],
        scheduler: Scheduler,
        transitions: Transitions,
        admission: Admission | None = None,
        watcher: Watcher | None = None,
        status: StatusFile | None = None,
        sleep_inhibitor: SleepInhibitor | None = None,
        drain: bool = False,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._context = context
        self._events = events
        self._scheduler = scheduler
        self._transitions = transitions
        self._admission = admission
        self._watcher = watcher
        self._status = status
        self._sleep_inhibitor = sleep_inhibitor or SleepInhibitor(())
        self._drain = drain
        self._on_turn = on_turn
        now = context.clock()
        self._scans = ScanSchedule(now, context.config.watch.rescan_seconds)
        self._check_at = self._turned = now
        self._drift = context.unix_time() - now
        self._stopping = False
        self._unstored: deque[Concluded] = deque()

    def run(self) -> None:
        """The loop. Raises TemporaryError if a drain cannot finish because the queue is paused."""
        try:
            while not self._stopping:
                self._turn()
                if self._drain and self._is_drained():
                    return
                if (event := self._next_event()) is not None:
                    self._take(event)
        finally:
            for attempt in self._context.attempts.stop_all():
                with contextlib.suppress(sqlite3.OperationalError):
                    self._transitions.uncount_start(attempt)
            if self._watcher is not None:
                self._watcher.stop()
            self._sleep_inhibitor.hold(False)

    def _turn(self) -> None:
        """Everything that time or the last event has made due. Faults of the machine pause."""
        now = self._turned = self._context.clock()
        with self._pausing(now):
            if self._unstored or now >= self._check_at:
                if now > self._check_at + _LATE:  # we were held up, asleep perhaps: not they
                    self._context.attempts.reset_stall_clocks(now)
                self._check_at = now + _TICK
                self._conclude(self._context.attempts.check(now), now)
            self._notice_wake(now)
            if self._admission is not None and now >= self._scans.due(self._admission.due()):
                self._scan(self._admission, now)
            if not self._context.pause.holds(now):
                self._scheduler.go(now)
                if not self._scheduler.anything_left():
                    self._context.pause.end("work")
            self._context.attempts.stop_idle(
                now, self._context.config.transcribe.idle_unload_seconds
            )
            with contextlib.suppress(OSError):  # work goes on, even if the machine may doze
                self._sleep_inhibitor.hold(bool(self._context.attempts.running))
            self._report(now)
        self._on_turn()

    @contextmanager
    def _pausing(self, now: float) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            self._context.pause.begin("work", explain(error), now)

    def _take(self, event: Event) -> None:
        match event:
            case StopRequested():
                self._stopping = True
            case InboxChanged():
                self._scans.request(self._context.clock())
            case WorkerMessage() | WorkerExited():
                now = self._context.clock()
                with self._pausing(now):
                    self._conclude(self._context.attempts.on_event(event, now), now)

    def _conclude(self, concluded: Iterable[Concluded], now: float) -> None:
        """Draw the consequences of these ends, and of those that could not be stored before."""
        self._unstored.extend(concluded)
        while self._unstored:
            self._transitions.apply_outcome(*self._unstored[0], now)
            self._unstored.popleft()

    def _scan(self, admission: Admission, now: float) -> None:
        context = self._context
        if self._watcher is not None:
            self._watcher.tend()
        try:
            if admission.scan(now, context.unix_time()):
                self._scheduler.prewarm(now)  # imports pass while the file settles
        except OSError as error:
            self._scans.failed(now, context.clock())
            context.pause.begin("inbox", explain(error), now)
        else:
            self._scans.scanned(now, context.clock(), admission.anything_missing)
            context.pause.end("inbox")
        if self._status is not None:
            self._status.beat(now)

    def _notice_wake(self, now: float) -> None:
        """Sleep stops the monotonic clock, not the wall clock; file events may have been lost."""
        drift = self._context.unix_time() - now
        if drift - self._drift > _WAKE_DRIFT:
            self._context.event_log.info("woke", "woke from sleep: looking at the inbox again")
            self._scans.request(now)
            if self._watcher is not None:
                self._watcher.stop()
        self._drift = drift

    def _next_event(self) -> Event | None:
        """The next event, or None when something is due before one comes."""
        wait = max(0.0, self._next_due() - self._context.clock())
        try:
            return self._events.get(timeout=wait)
        except queue.Empty:
            return None

    def _next_due(self) -> float:
        """What has fallen due since the last turn counts, too: hence that turn's time."""
        context = self._context
        dues = [context.clock() + context.config.watch.rescan_seconds]
        if context.attempts.running:
            dues.append(self._check_at)
        if context.pause.holds(self._turned):
            dues.append(context.pause.until)
        if self._status is not None:
            dues.append(self._status.due())
        if self._admission is not None:
            dues.append(self._scans.due(self._admission.due()))
        if (retry := self._transitions.next_retry(self._turned)) is not None:
            dues.append(retry)
        if (idle := context.attempts.idle_since()) is not None:
            dues.append(idle + context.config.transcribe.idle_unload_seconds)
        return min(dues)

    def _is_drained(self) -> bool:
        context = self._context
        if context.attempts.running:
            return False
        if context.pause.reason:
            raise TemporaryError(f"not finished: {context.pause.reason}")
        if self._admission is not None and (
            self._admission.settling or self._admission.anything_missing
        ):
            return False
        return not self._scheduler.anything_left()

    def _report(self, now: float) -> None:
        if self._status is None:
            return
        running = self._context.attempts.running
        reason = self._context.pause.reason
        state = "paused" if reason else "working" if running else "idle"
        watcher = self._watcher.problem if self._watcher is not None else "off"
        self._status.write(state, reason, watcher, running, now)
