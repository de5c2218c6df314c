"""The stage processes that are ready before a file needs them, and the making of new ones.

One transcriber is resident: it keeps the model warm from file to file. One decoder (PREPARE) and
one aligner are spares, spent on one file: their imports take as long as a memo does, so after the
last file, others wait for as long as the transcriber does. One publisher is a spare, too, and comes
back after its file: its imports take a second, rendering a short file a fiftieth of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.domain.job import Stage
from daemon.handoff.protocol import Usage
from daemon.models.memory import BATCH_DIVISOR
from daemon.processes.pipes import Pipes
from daemon.processes.worker import StageProcess, Worker, WorkerExited, WorkerMessage

_LARGE = 300_000_000  # bytes of memory: a publisher that has grown to that is not kept
_LARGEST_DIVISOR = 32  # a batch on a Mac has at most so many rows


@dataclass(frozen=True, slots=True)
class Command:
    """How to start a stage's process."""

    arguments: Sequence[str]
    environment: Mapping[str, str]


class WorkerPool:
    """Every method is called from the supervisor's loop only; starting raises OSError."""

    def __init__(
        self,
        commands: Mapping[Stage, Command],
        folder: Path,
        post: Callable[[WorkerMessage | WorkerExited], None],
        pipes: Pipes,
    ) -> None:
        self._commands = commands
        self._folder = folder  # for what a process says before it has a job
        self._post = post
        self._pipes = pipes
        self._ready: dict[Stage, Worker] = {}
        self._used = 0.0  # monotonic
        self._divisor = 1  # of the transcriber's batch

    @property
    def commands(self) -> Mapping[Stage, Command]:
        return self._commands

    def use(self, commands: Mapping[Stage, Command]) -> list[Worker]:
        """Start processes so from now on; return those that were made otherwise and are ready."""
        stale = [
            worker
            for stage, worker in self._ready.items()
            if commands[stage] != self._commands[stage]
        ]
        self._commands = commands
        return stale

    def prewarm(self, stage: Stage, now: float) -> Worker:
        """Have a process of `stage` ready."""
        self._used = now
        worker = self._ready.get(stage)
        if worker is not None and worker.exit_code() is not None:
            worker.end(0.0)  # its end is not heard of yet: nobody else closes its pipes
            worker = None
        if worker is None:
            worker = self._spawn(stage, self._folder / f"{stage}.log")
            self._ready[stage] = worker
        return worker

    def take(self, stage: Stage, log: Path, now: float) -> Worker:
        """A process for one attempt: the resident one, the spare, or a new one logging to `log`."""
        if stage is Stage.TRANSCRIBE:
            return self.prewarm(stage, now)
        spare = self._ready.pop(stage, None)
        if spare is not None and spare.exit_code() is None:
            return spare
        if spare is not None:
            spare.end(0.0)
        is_kept = stage is Stage.PUBLISH
        return self._spawn(stage, self._folder / f"{stage}.log" if is_kept else log)

    def keep(self, worker: StageProcess, stage: Stage, cost: Usage) -> bool:
        """Whether this process, which has done its file at that cost, is kept for others."""
        is_fit = cost.peak_rss_bytes < _LARGE and worker.exit_code() is None
        if stage is Stage.PUBLISH and stage not in self._ready and is_fit:
            assert isinstance(worker, Worker)  # PUBLISH is never lent
            self._ready[stage] = worker
        return worker is self._ready.get(stage)

    def halve_the_batch(self) -> bool:
        """From now on, transcribers decode half as much at once; False: that is little already."""
        if self._divisor >= _LARGEST_DIVISOR:
            return False
        self._divisor *= 2
        return True

    def touch(self, now: float) -> None:
        """The resident process has just been of use."""
        self._used = now

    def forget(self, worker: StageProcess) -> bool:
        """It has ended or will be; True if it was a ready one."""
        stages = [stage for stage, ready in self._ready.items() if ready is worker]
        for stage in stages:
            del self._ready[stage]
        return bool(stages)

    def ready(self) -> list[Worker]:
        return list(self._ready.values())

    def idle_since(self) -> float | None:
        """Since when processes have been held ready without use; None if there are none."""
        return self._used if self._ready else None

    def _spawn(self, stage: Stage, log: Path) -> Worker:
        command = self._commands[stage]
        environment = dict(command.environment)
        if stage is Stage.TRANSCRIBE and self._divisor > 1:
            environment[BATCH_DIVISOR] = str(self._divisor)
        return Worker(command.arguments, environment, log, self._post, self._pipes)
