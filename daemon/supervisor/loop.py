"""The one loop: take an event, react, start what is next. The only writer of the ledger.

It knows files, rows and processes, and nothing of speech: no ML library is imported here. Read
transitions.py next: it tells the way of a recording.
"""

from __future__ import annotations

import contextlib
import queue
import sqlite3
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from daemon.domain.job import ENDING, Stage
from daemon.domain.transcript import Json
from daemon.errors import TemporaryError
from daemon.files.background import UnderWayError
from daemon.files.faults import explain
from daemon.processes.attempt import Attempt
from daemon.processes.attempts import Ended
from daemon.processes.worker import WorkerExited, WorkerMessage
from daemon.reporting.status_file import StatusFile
from daemon.supervisor import lending
from daemon.supervisor.context import Context
from daemon.supervisor.events import (
    BackgroundEnded,
    Event,
    EventQueue,
    InboxChanged,
    InboxRead,
    StopNow,
    StopRequested,
)
from daemon.supervisor.hanging import HangingWork
from daemon.supervisor.inbox_watch import InboxWatch, NoInbox
from daemon.supervisor.power import SleepInhibitor, stay_awake_command
from daemon.supervisor.scheduler import Scheduler
from daemon.supervisor.settings_watch import NoSettingsWatch, SettingsWatch
from daemon.supervisor.transitions import Transitions

_TICK = 0.5  # seconds between looks at the processes while any is at work
_LATE = 1.0  # seconds by which a look may be late before we hold the delay against ourselves
_EVENTS_A_TURN = 50  # at most; then what has become due has its turn
_WAKE_DRIFT = 5.0  # seconds by which the wall clock outruns the monotonic one when the Mac slept


class Supervisor:
    """Runs until stopped; with `drain`, until there is nothing left to do."""

    def __init__(
        self,
        context: Context,
        events: EventQueue,
        scheduler: Scheduler,
        transitions: Transitions,
        inbox: InboxWatch | NoInbox,
        drain: bool = False,
        on_turn: Callable[[], None] = lambda: None,
        settings: SettingsWatch | None = None,
        status: StatusFile | None = None,
    ) -> None:
        config = context.config
        self._context = context
        self._events = events
        self._scheduler = scheduler
        self._transitions = transitions
        self._inbox = inbox
        self._drain = drain
        self._on_turn = on_turn
        self._settings = settings or NoSettingsWatch()
        self._status = status or StatusFile(config.paths.state)
        self._hanging = HangingWork(context)
        self._inhibitor = SleepInhibitor(stay_awake_command() if config.limits.keep_awake else ())
        self._check_at = self._turned = context.clock()
        self._drift = context.unix_time() - self._turned
        self._stopping = False
        self._unstored: list[Ended] = []  # ends that the ledger could not take yet
        self._calm_until = 0.0  # what a fault left undone is due, but would meet it again at once

    def run(self) -> bool:
        """The loop. Returns whether all was done; False: it was told to stop.

        Raises TemporaryError if a drain cannot finish because the queue is paused.
        """
        try:
            while not self._stopping:
                self._turn()
                if self._drain and self._is_drained():
                    return True
                event = self._next_event()
                self._context.begin_turn()
                self._react_to_all(event)
        except StopNow:
            pass
        finally:
            unstored = [attempt for attempt, _ in self._unstored]
            self._context.background.stop()
            ended = [*self._context.attempts.stop_all(), *unstored]
            with contextlib.suppress(sqlite3.OperationalError):  # the next would wait as long
                for attempt in ended:
                    self._transitions.uncount_start(attempt)
            self._inbox.stop()
            self._inhibitor.hold(False)
        return False

    def _turn(self) -> None:
        """Everything that time or the last event has made due. Faults of the machine pause."""
        context = self._context
        now = self._turned = context.clock()
        with self._pausing(now):
            if self._unstored or now >= self._check_at:
                if now > self._check_at + _LATE:  # we were held up, asleep perhaps: not they
                    context.attempts.reset_stall_clocks(now)
                self._check_at = now + _TICK
                self._apply_outcomes(context.attempts.check(now), now)
        with self._pausing(now):  # an end that cannot be stored does not keep us from the inbox
            self._notice_sleep(now)
            self._settings.take_up(now)
            if now >= self._inbox.due():
                if self._inbox.scan(now):
                    self._scheduler.expect_file(now)
                self._status.beat(now)
            if not context.pause.holds(now):
                self._scheduler.start_due(now)
                if not self._drain:
                    self._scheduler.keep_ahead(now)
                if not self._scheduler.anything_left():
                    context.pause.end("work")
                    context.pause.end("delivery")
            context.attempts.stop_idle(now, context.config.transcribe.idle_unload_seconds)
            with contextlib.suppress(OSError):  # work goes on, even if the machine may doze
                self._inhibitor.hold(self._is_working())
            self._write_status(now)
        self._on_turn()

    @contextmanager
    def _pausing(self, now: float) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.OperationalError) as error:
            pause = self._context.pause
            pause.begin("work", explain(error), now)
            self._calm_until = now + min(_TICK, pause.retry_seconds)

    def _react_to_all(self, event: Event | None) -> None:
        """To this event and those behind it: where many come, a turn for each is too dear."""
        left = _EVENTS_A_TURN  # what is taken from the queue is reacted to, the last one, too
        while event is not None and not self._stopping:
            self._react(event)
            left -= 1
            event = self._events.get_now() if left else None

    def _react(self, event: Event) -> None:
        match event:
            case StopRequested():
                self._stopping = True
            case InboxChanged():
                self._inbox.request_scan()
            case BackgroundEnded():
                pass  # the turn that follows takes it up
            case InboxRead():
                now = self._context.clock()
                with self._pausing(now):
                    if self._inbox.take_in():
                        self._scheduler.expect_file(now)
            case WorkerMessage() | WorkerExited():
                now = self._context.clock()
                with self._pausing(now):
                    self._apply_outcomes(self._context.attempts.on_event(event, now), now)

    def _apply_outcomes(self, ended: Iterable[Ended], now: float) -> None:
        """Decide what follows from these ends, and from those that could not be stored before.

        Raises OSError after the others' turns, sqlite3.OperationalError at once.
        """
        self._drop_outdated()
        self._unstored.extend(ended)
        faults: dict[int, OSError] = {}  # by job: its later ends wait
        for attempt, outcome in list(self._unstored):
            job = attempt.job.id
            if job in faults or self._context.background.is_busy_with(job):
                continue
            try:
                self._scheduler.turns.guard(
                    attempt.job,
                    attempt.stage,
                    lambda _: self._transitions.apply_outcome(attempt, outcome, now),  # noqa: B023
                )
            except UnderWayError:
                continue
            except OSError as error:
                faults[job] = error
            else:
                self._unstored.remove((attempt, outcome))
        if faults:
            raise next(iter(faults.values()))

    def _drop_outdated(self) -> None:
        """Ends that could not be stored before somebody replaced the file, or gave it up."""
        for attempt, outcome in list(self._unstored):
            now = self._context.ledger.job(attempt.job.id)
            is_same = now is not None and (now.source, now.identity) == (
                attempt.job.source,
                attempt.job.identity,
            )
            if is_same and now is not None and (attempt.is_stored or now.next not in ENDING):
                continue
            self._transitions.uncount_start(attempt)
            self._unstored.remove((attempt, outcome))

    def _notice_sleep(self, now: float) -> None:
        """Sleep stops the monotonic clock, not the wall clock."""
        drift = self._context.unix_time() - now
        if drift - self._drift > _WAKE_DRIFT:
            self._context.event_log.info("woke", "woke from sleep: looking at the inbox again")
            self._inbox.after_sleep()
        self._drift = drift

    def _next_event(self) -> Event | None:
        """The next event, or None when something is due before one comes."""
        wait = max(0.0, max(self._next_due(), self._calm_until) - self._context.clock())
        try:
            return self._events.get(timeout=wait)
        except queue.Empty:
            return None

    def _next_due(self) -> float:
        """What has fallen due since the last turn counts, too: hence that turn's time."""
        context = self._context
        dues = [
            context.clock() + context.config.watch.rescan_seconds,
            self._status.due(),
            self._hanging.due(),
            self._inbox.due(),
            self._settings.due(),
        ]
        if context.attempts.running:
            dues.append(self._check_at)
        if context.pause.holds(self._turned):
            dues.append(context.pause.until)
        if (retry := self._transitions.backoff.next(self._turned)) is not None:
            dues.append(retry)
        if (idle := context.attempts.idle_since()) is not None:
            dues.append(idle + context.config.transcribe.idle_unload_seconds)
        return min(dues)

    def _is_drained(self) -> bool:
        context = self._context
        if not all(attempt.is_waiting and self._unstored for attempt in context.attempts.running):
            return False  # an aligner may wait for the transcription whose end cannot be stored
        if context.pause.reason:
            raise TemporaryError(f"not finished: {context.pause.reason}")
        if hindrance := self._scheduler.turns.hindrance():
            raise TemporaryError(f"not finished: {hindrance}")
        is_at_rest = self._inbox.is_at_rest() and not context.background.is_busy
        return is_at_rest and not self._scheduler.anything_left()

    def _is_working(self) -> bool:
        context = self._context
        return bool(context.attempts.running) or context.background.is_busy

    def _write_status(self, now: float) -> None:
        running, reason = self._context.attempts.running, self._context.pause.reason
        state = "paused" if reason else "working" if self._is_working() else "idle"
        rows = [_status_row(attempt) for attempt in running]
        self._status.write(
            state,
            reason,
            self._inbox.watcher_problem(),
            rows,
            now,
            self._inbox.waiting(),
            lending.status_rows(self._context),
            self._hanging.look(now),
        )


def _status_row(attempt: Attempt) -> Json:
    is_heard = attempt.host and attempt.total  # another machine says how far its transcription is
    return {
        "job": attempt.job.id,
        "name": attempt.job.name,
        "stage": Stage.TRANSCRIBE if is_heard else attempt.stage,
        "host": attempt.host,
        "pid": attempt.worker.pid,
        "waiting": attempt.is_waiting,
        "done_seconds": round(attempt.done, 1),
        "total_seconds": round(attempt.total, 1),
    }
