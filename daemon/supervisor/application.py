"""Puts a daemon together from its configuration: folders, lock, ledger, stages, loop."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from daemon.config.settings import Config, Paths
from daemon.domain.job import Stage
from daemon.files.lock import FolderLock, Lock
from daemon.files.moving import restore_claims
from daemon.files.state_folder import JOBS
from daemon.files.volumes import Mounts
from daemon.inbox.completeness import CompletenessCheck
from daemon.inbox.icloud import ICloudDownloads
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
    sweep_folders,
    sweep_jobs,
    sweep_orphans,
)
from daemon.supervisor.events import Event, InboxChanged, StopRequested
from daemon.supervisor.loop import Supervisor
from daemon.supervisor.pause import Pause
from daemon.supervisor.power import SleepInhibitor, stay_awake_command
from daemon.supervisor.scheduler import Scheduler
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
        ],
        Stage.ALIGN: [
            f"--model={registry.aligner_name(config.align.model, transcribe.model)}",
            f"--device={config.align.device}",
            f"--threads={hardware.aligner_threads(backend)}",
        ],
    }
    extra = {Stage.TRANSCRIBE: hardware.blas_environment(backend)}
    return {
        stage: Command(
            [sys.executable, "-P", "-s", "-m", f"daemon.stages.{stage}", *given],
            environment | extra.get(stage, {}),
        )
        for stage, given in arguments.items()
    }


@contextmanager
def opened(config: Config, commands: Commands, event_log: EventLog) -> Iterator[Application]:
    """Everything but the loop, with the lock held. Raises TemporaryError if it is not free."""
    os.umask(0o077)  # recordings and transcripts are their owner's business
    jobs = config.paths.state / JOBS
    jobs.mkdir(parents=True, exist_ok=True)
    with Lock(config.paths.state) as lock:
        sweep_orphans(config.paths.state)
        with contextlib.closing(open_ledger(config.paths, event_log)) as ledger:
            sweep_jobs(jobs, ledger)
            events: queue.SimpleQueue[Event] = queue.SimpleQueue()
            attempts = Attempts(commands, jobs, events.put, config.limits.grace_seconds)
            publisher = Publisher(config, ledger, jobs)
            pause = Pause(event_log)
            mounts = Mounts(config.paths.state)
            context = Context(config, ledger, attempts, publisher, event_log, pause, mounts, jobs)
            yield Application(context, events, lock)


class Application:
    """The collaborators and the queue that ties them together."""

    def __init__(self, context: Context, events: queue.SimpleQueue[Event], lock: Lock) -> None:
        self.context = context
        self.events = events
        self._lock = lock

    def watch(self, drain: bool, only: int | None = None) -> None:
        """The daemon: watch the inbox and work, until stopped or (`drain`) until all is done."""
        context, config = self.context, self.context.config
        _make_folders(config.paths, context.mounts)
        bell = _Bell(self.events)
        unsettled: set[int] = set()
        transitions = Transitions(context, unsettled if only is None else None)
        admission = watcher = None
        inbox = config.paths.inbox.resolve()
        inbox_lock = FolderLock(inbox)
        downloads = ICloudDownloads()

        def looking() -> None:
            self._lock.check()
            inbox_lock.hold()
            bell.answered()

        if only is None:
            with contextlib.suppress(OSError):  # the inbox may be missing: the scans wait for it
                inbox_lock.hold()
                for folder in (inbox, config.paths.done, config.paths.failed):
                    restore_claims(folder, inbox)
            patience = CompletenessCheck(context.event_log, downloads, context.clock)
            admission = Admission(inbox, context, transitions, unsettled, looking, patience)
            watcher = Watcher(inbox, bell.ring) if config.watch.events else None
        supervisor = Supervisor(
            context,
            self.events,
            Scheduler(context, transitions, only),
            transitions,
            admission,
            watcher,
            StatusFile(config.paths.state),
            SleepInhibitor(stay_awake_command() if config.limits.keep_awake else ()),
            drain=drain or only is not None,
        )
        with contextlib.closing(downloads), contextlib.closing(inbox_lock):
            supervisor.run()

    def drain(self, on_turn: Callable[[], None]) -> None:
        """Finish the jobs that were admitted by hand; nothing is watched."""
        _make_folders(self.context.config.paths, self.context.mounts)
        transitions = Transitions(self.context, None)
        scheduler = Scheduler(self.context, transitions)
        Supervisor(
            self.context, self.events, scheduler, transitions, drain=True, on_turn=on_turn
        ).run()

    @contextmanager
    def stopped_by(self, signals: Iterable[signal.Signals]) -> Iterator[None]:
        """Signals become events of the loop; a handler does nothing but post."""
        before = {
            number: signal.signal(
                number, lambda received, _: self.events.put(StopRequested(received))
            )
            for number in signals
        }
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


class _Bell:
    """Turns any number of file events into one Knock at a time."""

    def __init__(self, events: queue.SimpleQueue[Event]) -> None:
        self._events = events
        self._rung = False

    def ring(self) -> None:
        if not self._rung:
            self._rung = True
            self._events.put(InboxChanged())

    def answered(self) -> None:
        self._rung = False


def _make_folders(paths: Paths, mounts: Mounts) -> None:
    """A folder that cannot be made now (its volume is not mounted) pauses the queue later."""
    for folder in (paths.inbox, paths.outbox, paths.done, paths.failed):
        with contextlib.suppress(OSError):
            mounts.check([folder])
            folder.mkdir(parents=True, exist_ok=True)
    sweep_folders(paths)
