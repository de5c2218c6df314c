"""Puts a daemon together from its configuration: folders, lock, ledger, stages, loop."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from daemon.config.settings import Config
from daemon.domain.job import Stage
from daemon.files.background import Background
from daemon.files.daemon_lock import Lock
from daemon.files.state_folder import JOBS
from daemon.files.volumes import Mounts
from daemon.inbox.completeness import CompletenessCheck
from daemon.inbox.finished import FinishedFiles
from daemon.inbox.icloud import ICloudDownloads
from daemon.inbox.open_files import OpenFiles
from daemon.inbox.reader import Reader
from daemon.inbox.scan import Look
from daemon.inbox.unfinished import UnfinishedFiles
from daemon.inbox.watcher import Watcher
from daemon.models import hardware, registry
from daemon.models.hardware import Backend
from daemon.outbox.publisher import Publisher
from daemon.processes.attempts import Attempts
from daemon.processes.pool import Command
from daemon.reporting.event_log import EventLog
from daemon.reporting.status_file import StatusFile
from daemon.supervisor.admission import Admission
from daemon.supervisor.context import Context
from daemon.supervisor.crash_recovery import (
    open_ledger,
    sweep_jobs,
    sweep_orphans,
)
from daemon.supervisor.events import (
    BackgroundEnded,
    EventQueue,
    InboxChanged,
    InboxRead,
    StopRequested,
)
from daemon.supervisor.healing import Healing
from daemon.supervisor.held_jobs import HeldJobs
from daemon.supervisor.inbox_watch import InboxWatch, NoInbox
from daemon.supervisor.last_steps import LastSteps
from daemon.supervisor.loop import Supervisor
from daemon.supervisor.opening import make_folders, make_state, open_inbox
from daemon.supervisor.pause import RETRY_SECONDS, Pause
from daemon.supervisor.retention import Retention
from daemon.supervisor.scheduler import Scheduler
from daemon.supervisor.settings_watch import SettingsWatch
from daemon.supervisor.transitions import Transitions

Commands = Mapping[Stage, Command]


def stage_commands(config: Config, backend: Backend) -> Commands:
    """How the real stages are started: isolated from the working folder and the user's site."""
    environment = hardware.stage_environment(os.environ)
    transcribe = config.transcribe
    arguments: dict[Stage, list[str]] = {
        Stage.PREPARE: [],
        Stage.TRANSCRIBE: [
            f"--backend={backend.name}",
            f"--model={transcribe.model}",
            f"--converted={registry.conversions(os.environ)}",
            f"--aligner={config.align.model}",
            f"--decoder-bits={transcribe.decoder_bits}",
            *(["--stand-in"] if transcribe.stand_in else []),
        ],
        Stage.ALIGN: [
            f"--model={config.align.model}",
            f"--device={config.align.device}",
            f"--threads={hardware.aligner_threads(backend)}",
        ],
    }
    model = config.speakers.model
    arguments[Stage.DIARIZE] = [f"--model={model}"] if model else []
    arguments[Stage.PUBLISH] = []
    extra = {Stage.TRANSCRIBE: hardware.transcriber_environment(backend)}
    return {
        stage: Command(
            [sys.executable, "-P", "-s", "-m", f"daemon.stages.{stage}", *given],
            environment | extra.get(stage, {}),
        )
        for stage, given in arguments.items()
    }


class Application:
    """The daemon's collaborators, and the queue of events that ties them together."""

    def __init__(self, context: Context, events: EventQueue, lock: Lock) -> None:
        self.context = context
        self._events = events
        self._lock = lock

    @classmethod
    @contextmanager
    def open(
        cls,
        config: Config,
        commands: Commands,
        event_log: EventLog,
        retry_seconds: float = RETRY_SECONDS,
    ) -> Iterator[Application]:
        """Everything but the loop, with the lock held. Raises TemporaryError if it is not free.

        Raises UsageError if others may write to the state folder, and so to the queue itself.

        `retry_seconds` is how long a pause lasts before the next try.
        """
        os.umask(0o077)  # recordings and transcripts are their owner's business
        jobs = config.paths.state / JOBS
        make_state(config.paths.state, jobs)
        with Lock(config.paths.state) as lock:
            sweep_orphans(config.paths.state)
            with (
                contextlib.closing(open_ledger(config.paths, event_log)) as ledger,
                contextlib.closing(EventQueue()) as events,
            ):
                sweep_jobs(jobs, ledger)
                background = Background(lambda: events.put(BackgroundEnded()))
                context = Context(
                    config,
                    ledger,
                    Attempts(
                        commands,
                        jobs,
                        events.post,
                        events.pipes,
                        config.limits.grace_seconds,
                        lambda line: event_log.warning("gpu", line),
                        lambda: events.is_stopping,
                    ),
                    Publisher(config, ledger, jobs, background, events.may_break_off),
                    event_log,
                    Pause(event_log, retry_seconds),
                    Mounts(config.paths.state, events.may_break_off),
                    jobs,
                    background,
                )
                yield cls(context, events, lock)

    def watch(self, drain: bool, settings: SettingsWatch | None = None) -> bool:
        """Watch the inbox and work, until stopped or (`drain`) until all is done: then True."""
        context, config = self.context, self.context.config
        status = StatusFile(
            config.paths.state, lambda line: context.event_log.warning("status", line)
        )
        status.beat(context.clock())  # a sign of life, before anything that may have to wait
        inbox_lock = open_inbox(context, self._events, status, drain)
        if inbox_lock is None:
            return False
        inbox = inbox_lock.folder
        held = HeldJobs(inbox_is_watched=True)
        unfinished = UnfinishedFiles(config.watch.patience_seconds)
        transitions = Transitions(context, held, unfinished)
        scheduler = Scheduler(context, transitions, LastSteps(context, held))
        pending = _PendingChange(self._events)

        def before_look() -> None:
            self._lock.check()
            pending.before_scan()

        def secure() -> None:
            context.mounts.check([inbox])
            inbox_lock.hold()

        with contextlib.closing(ICloudDownloads()) as downloads, contextlib.closing(inbox_lock):
            open_files = OpenFiles(inbox, context.clock)
            finished = FinishedFiles(config.watch, open_files.is_closed)
            completeness = CompletenessCheck(
                context.event_log,
                downloads,
                context.clock,
                writer=open_files.writer,
                unfinished=unfinished,
                is_finished=finished,
            )
            admission = Admission(
                inbox,
                context,
                transitions,
                held,
                completeness,
                unfinished,
                self._events.break_off,
            )
            watcher = None
            if config.watch.events:
                watcher = Watcher(inbox, pending.post, config.watch.recursive, finished.on_event)
            reader = Reader[Look](lambda: self._events.put(InboxRead()), context.clock)
            watch = InboxWatch(context, admission, watcher, reader, before_look, secure)
            retention, healing = Retention(context), Healing(context)

            def on_turn() -> None:
                with contextlib.suppress(OSError, sqlite3.OperationalError):  # another time, then
                    retention.tidy()
                    healing.look()

            context.attempts.remote.use(config, context.clock())
            loop = Supervisor(
                context,
                self._events,
                scheduler,
                transitions,
                watch,
                drain,
                on_turn=on_turn,
                settings=settings,
                status=status,
            )
            is_done = loop.run()
            if drain:
                context.publisher.emptied.remove(after_seconds=0.0)
            return is_done

    def drain(self, on_turn: Callable[[], None] = lambda: None, only: int | None = None) -> None:
        """Finish the jobs that are in the ledger, or `only` that one; no inbox is watched."""
        context = self.context
        make_folders(context.config.paths, context.mounts)
        held = HeldJobs(inbox_is_watched=False)
        transitions = Transitions(context, held, UnfinishedFiles(0.0))
        scheduler = Scheduler(context, transitions, LastSteps(context, held), only)
        loop = Supervisor(
            context, self._events, scheduler, transitions, NoInbox(), drain=True, on_turn=on_turn
        )
        loop.run()

    def work_on(
        self,
        inbox: NoInbox,
        last_steps: LastSteps,
        on_turn: Callable[[], None],
    ) -> None:
        """Work until stopped on what comes by `inbox`, with other last steps than ours."""
        context = self.context
        transitions = Transitions(context, HeldJobs(inbox_is_watched=False), UnfinishedFiles(0.0))
        scheduler = Scheduler(context, transitions, last_steps)
        Supervisor(context, self._events, scheduler, transitions, inbox, on_turn=on_turn).run()

    def ring(self) -> None:
        """Have the loop look into its inbox. May be called from any thread, as `stop`."""
        self._events.put(InboxChanged())

    def stop(self) -> None:
        self._events.put(StopRequested(signal.SIGTERM))

    @contextmanager
    def stopped_by(self, signals: Iterable[signal.Signals]) -> Iterator[None]:
        """Signals become events of the loop; a handler does nothing but post."""
        before = {
            number: signal.signal(
                number, lambda received, _: self._events.put(StopRequested(received))
            )
            for number in signals
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _PendingChange:
    """Turns any number of file events into one InboxChanged at a time."""

    def __init__(self, events: EventQueue) -> None:
        self._events = events
        self._is_posted = False

    def post(self) -> None:
        if not self._is_posted:
            self._is_posted = True
            self._events.put(InboxChanged())

    def before_scan(self) -> None:
        self._is_posted = False
