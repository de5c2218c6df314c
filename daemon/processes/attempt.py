"""One attempt of one stage at one job: its process, its limits, and how far it got."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum, auto
from functools import cache

import psutil

from daemon.config.settings import Config
from daemon.domain.job import Job, Stage, StageRecord
from daemon.handoff.protocol import Progress, Usage
from daemon.processes import outcome
from daemon.processes.outcome import Outcome
from daemon.processes.process_tree import Vitals
from daemon.processes.worker import StageProcess

_MB = 1_000_000

# The longest that a stage may take: a base, and a multiple of the audio's length. Generous, since
# the stall limit catches what hangs; this one catches what progresses for ever.
_BASE_SECONDS = {
    Stage.PREPARE: 3600.0,
    Stage.TRANSCRIBE: 900.0,
    Stage.ALIGN: 600.0,
    Stage.DIARIZE: 600.0,
    Stage.PUBLISH: 600.0,
}
_AUDIO_FACTOR = {
    Stage.PREPARE: 0.0,
    Stage.TRANSCRIBE: 60.0,
    Stage.ALIGN: 10.0,
    Stage.DIARIZE: 10.0,
    Stage.PUBLISH: 1.0,
}


@dataclass(frozen=True, slots=True)
class AttemptLimits:
    """What an attempt may use. Seconds are monotonic; bytes count the whole process tree."""

    stall_seconds: float
    total_seconds: float
    memory_bytes: int

    @classmethod
    def of(cls, config: Config, stage: Stage, audio_seconds: float) -> AttemptLimits:
        """As configured; where no memory limit is, three quarters of the machine's."""
        stall_seconds = {
            Stage.ALIGN: config.align.stall_seconds,
            Stage.DIARIZE: config.speakers.stall_seconds,
        }.get(stage, config.limits.stall_seconds)
        memory = {
            Stage.TRANSCRIBE: config.transcribe.max_memory_mb,
            Stage.ALIGN: config.align.max_memory_mb,
            Stage.DIARIZE: config.speakers.max_memory_mb,
        }.get(stage, 0)
        return cls(
            stall_seconds=stall_seconds,
            total_seconds=_BASE_SECONDS[stage] + _AUDIO_FACTOR[stage] * audio_seconds,
            memory_bytes=memory * _MB or _machine_memory() * 3 // 4,
        )


@cache
def _machine_memory() -> int:
    return int(psutil.virtual_memory().total)


class AttemptState(Enum):
    WAITING = auto()  # for a worker or for another stage: no time limit applies
    WORKING = auto()
    EXITED = auto()  # its process was seen dead; what it said last may be on its way


@dataclass(slots=True)
class Attempt:
    """A start that was counted in the ledger and whose end we are waiting for."""

    job: Job
    stage: Stage
    nonce: str
    worker: StageProcess
    limits: AttemptLimits
    begun: float  # monotonic
    heard: float  # monotonic time of the last real progress
    state: AttemptState = AttemptState.WORKING
    done: float = 0.0  # audio seconds
    total: float = 0.0
    cpu_before: float = 0.0  # a resident worker has worked on other files, too
    log_from: int = 0  # where a transcription's part of the job's log begins
    peak_bytes: int = 0
    cpu_seconds: float = 0.0
    usage: Usage = field(default_factory=Usage)
    result: object = None  # what it wrote, once that is read and found whole
    host: str = ""  # the machine that all stages but PUBLISH are lent to
    is_stored: bool = False  # its end stands in the ledger, or its start was uncounted

    @property
    def is_waiting(self) -> bool:
        return self.state is AttemptState.WAITING

    def on_progress(self, progress: Progress, now: float) -> None:
        """Only a change is progress: a loop that reports the same point for ever has stalled."""
        if self.is_waiting and self.stage is Stage.TRANSCRIBE:
            self.begin_work(now)  # the worker took it up beside another file
        if progress.done != self.done:
            self.heard = now
        self.done, self.total = progress.done, progress.total

    def begin_work(self, now: float) -> None:
        """What it waited for is there: from now on its limits count."""
        self.state = AttemptState.WORKING
        self.begun = self.heard = now

    def check(self, now: float, vitals: Vitals | None) -> Outcome | None:
        """The outcome to stop it with; None while all is well."""
        if vitals is not None:
            self.peak_bytes = max(self.peak_bytes, vitals.memory_bytes)
            self.cpu_seconds = max(self.cpu_seconds, vitals.cpu_seconds - self.cpu_before)
            if 0 < self.limits.memory_bytes < vitals.memory_bytes:
                return outcome.too_large(self.stage, vitals.memory_bytes, self.limits.memory_bytes)
        if self.worker.flooding:
            return outcome.flooded(self.stage)
        if self.is_waiting:
            return None
        if now - self.heard > self.limits.stall_seconds:
            return outcome.stalled(self.stage, self.limits.stall_seconds)
        if now - self.begun > self.limits.total_seconds:
            return outcome.overdue(self.stage, self.limits.total_seconds)
        return None

    def cost(self) -> Usage:
        """What it used: by its own account if it gave one, else by what psutil saw."""
        return Usage(
            self.usage.cpu_seconds or self.cpu_seconds,
            max(self.usage.peak_rss_bytes, self.peak_bytes),
        )

    def record(self, ended: Outcome, ended_at: float) -> StageRecord:
        """How it went, for the ledger. `ended_at` is Unix time."""
        cost = self.cost()
        return StageRecord(
            stage=self.stage,
            ended_at=ended_at,
            cpu_seconds=cost.cpu_seconds,
            peak_rss_bytes=cost.peak_rss_bytes,
            exit=ended.exit,
            kind=ended.kind,
            reason=ended.message,
        )
