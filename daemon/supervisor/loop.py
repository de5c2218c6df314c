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
from daemon.inbox.schedule import ScanClock
from daemon.inbox.watcher import Watcher
from daemon.processes.attempts import Concluded
from daemon.processes.worker import Ended, Said
from daemon.reporting.status_file import StatusFile
from daemon.supervisor.admission import Intake
from daemon.supervisor.context import Tools
from daemon.supervisor.events import Event, Knock, Stop
from daemon.supervisor.power import Awake
from daemon.supervisor.scheduler import Starts
from daemon.supervisor.transitions import Outcomes

_TICK = 0.5  # seconds between looks at the processes while any is at work
_LATE = 1.0  # seconds by which a look may be late before we hold the delay against ourselves
_WAKE_DRIFT = 5.0  # seconds by which the wall clock outruns the monotonic one when the Mac slept


class Supervisor:
    """Runs until stopped; with `drain`, until there is nothing left to do."""

    def __init__(
        self,
        tools: Tools,
        events: queue.SimpleQueue[Event],
        starts: Starts,
        outcomes: Outcomes,
        intake: Intake | None = None,
        watcher: Watcher | None = None,
        status: StatusFile | None = None,
        awake: Awake | None = None,
        drain: bool = False,
        on_turn: Callable[[], None] = lambda: None,
    ) -> None:
        self._tools = tools
        self._events = events
        self._starts = starts
        self._outcomes = outcomes
        self._intake = intake
        self._watcher = watcher
        self._status = status
        self._awake = awake or Awake(())
        self._drain = drain
        self._on_turn = on_turn
        now = tools.clock()
        self._scans = ScanClock(now, tools.config.watch.rescan_seconds)
        self._check_at = self._turned = now
        self._drift = tools.wall() - now
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
            for run in self._tools.lanes.stop_all():
                with contextlib.suppress(sqlite3.OperationalError):
                    self._outcomes.give_back(run)
            if self._watcher is not None:
                self._watcher.stop()
            self._awake.hold(False)

    def _turn(self) -> None:
        """Everything that time or the last event has made due. Faults of the machine pause."""
        now = self._turned = self._tools.clock()
        with self._pausing(now):
            if self._unstored or now >= self._check_at:
                if now > self._check_at + _LATE:  # we were held up, asleep perhaps: not they
                    self._tools.lanes.excuse(now)
                self._check_at = now + _TICK
                self._conclude(self._tools.lanes.check(now), now)
            self._notice_wake(now)
            if self._intake is not None and now >= self._scans.due(self._intake.due()):
                self._scan(self._intake, now)
            if not self._tools.pause.holds(now):
                self._starts.go(now)
                if not self._starts.anything_left():
                    self._tools.pause.end("work")
            self._tools.lanes.retire(now, self._tools.config.transcribe.idle_unload_seconds)
            with contextlib.suppress(OSError):  # work goes on, even if the machine may doze
                self._awake.hold(bool(self._tools.lanes.runs))
            self._report(now)
        self._on_turn()

    @contextmanager
    def _pausing(self, now: float) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            self._tools.pause.begin("work", explain(error), now)

    def _take(self, event: Event) -> None:
        match event:
            case Stop():
                self._stopping = True
            case Knock():
                self._scans.ring(self._tools.clock())
            case Said() | Ended():
                now = self._tools.clock()
                with self._pausing(now):
                    self._conclude(self._tools.lanes.hear(event, now), now)

    def _conclude(self, concluded: Iterable[Concluded], now: float) -> None:
        """Draw the consequences of these ends, and of those that could not be stored before."""
        self._unstored.extend(concluded)
        while self._unstored:
            self._outcomes.conclude(*self._unstored[0], now)
            self._unstored.popleft()

    def _scan(self, intake: Intake, now: float) -> None:
        tools = self._tools
        if self._watcher is not None:
            self._watcher.tend()
        try:
            if intake.scan(now, tools.wall()):
                self._starts.warm(now)  # imports pass while the file settles
        except OSError as error:
            self._scans.failed(now, tools.clock())
            tools.pause.begin("inbox", explain(error), now)
        else:
            self._scans.scanned(now, tools.clock(), intake.anything_missing)
            tools.pause.end("inbox")
        if self._status is not None:
            self._status.beat(now)

    def _notice_wake(self, now: float) -> None:
        """Sleep stops the monotonic clock, not the wall clock; file events may have been lost."""
        drift = self._tools.wall() - now
        if drift - self._drift > _WAKE_DRIFT:
            self._tools.journal.tell("woke", "woke from sleep: looking at the inbox again")
            self._scans.ring(now)
            if self._watcher is not None:
                self._watcher.stop()
        self._drift = drift

    def _next_event(self) -> Event | None:
        """The next event, or None when something is due before one comes."""
        wait = max(0.0, self._next_due() - self._tools.clock())
        try:
            return self._events.get(timeout=wait)
        except queue.Empty:
            return None

    def _next_due(self) -> float:
        """What has fallen due since the last turn counts, too: hence that turn's time."""
        tools = self._tools
        dues = [tools.clock() + tools.config.watch.rescan_seconds]
        if tools.lanes.runs:
            dues.append(self._check_at)
        if tools.pause.holds(self._turned):
            dues.append(tools.pause.until)
        if self._status is not None:
            dues.append(self._status.due())
        if self._intake is not None:
            dues.append(self._scans.due(self._intake.due()))
        if (retry := self._outcomes.next_retry(self._turned)) is not None:
            dues.append(retry)
        if (idle := tools.lanes.idle_since()) is not None:
            dues.append(idle + tools.config.transcribe.idle_unload_seconds)
        return min(dues)

    def _is_drained(self) -> bool:
        tools = self._tools
        if tools.lanes.runs:
            return False
        if tools.pause.reason:
            raise TemporaryError(f"not finished: {tools.pause.reason}")
        if self._intake is not None and (self._intake.settling or self._intake.anything_missing):
            return False
        return not self._starts.anything_left()

    def _report(self, now: float) -> None:
        if self._status is None:
            return
        runs = self._tools.lanes.runs
        reason = self._tools.pause.reason
        state = "paused" if reason else "working" if runs else "idle"
        watcher = self._watcher.problem if self._watcher is not None else "off"
        self._status.write(state, reason, watcher, runs, now)
