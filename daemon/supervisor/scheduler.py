"""Which stage starts next, for which job, with which limits."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain, islice

from daemon.domain.job import TERMINAL, Job, Stage
from daemon.files.faults import scarce_disk
from daemon.handoff import alignment_log, artefacts
from daemon.handoff.artefacts import JobRequest
from daemon.models import registry
from daemon.processes.attempt import RunLimits
from daemon.supervisor.context import Tools
from daemon.supervisor.last_steps import Finishing
from daemon.supervisor.power import on_battery
from daemon.supervisor.transitions import Outcomes

_AHEAD = 8  # files decoded ahead of the transcriber, and files that it may hold at a time
_ALIGNERS = 2  # one finishing the last file, one warming up for the next
_MB = 1_000_000
_MADE_FROM_AUDIO = (
    artefacts.SEGMENTS,
    artefacts.TRANSCRIPT,
    alignment_log.NAME,
    artefacts.ALIGNMENT,
)


class Starts:
    """Keeps every lane busy, oldest file first; a file that failed before waits behind the rest."""

    def __init__(self, tools: Tools, outcomes: Outcomes, only: int | None = None) -> None:
        self._tools = tools
        self._outcomes = outcomes
        self._only = only  # work on this job alone
        self._finishing = Finishing(tools, outcomes.used_up, outcomes.unsettled)

    def go(self, now: float) -> None:
        """Start whatever can start. Raises OSError for faults of the machine."""
        self._start_aligners(now)
        self._start_transcriptions(now)
        self._warm_aligners(now)
        if len(list(islice(self._tools.ledger.waiting(Stage.TRANSCRIBE), _AHEAD))) < _AHEAD:
            self._start_preparation(now)
        # Last, because a start that is one too many decides that a file goes no further.
        paths = self._tools.config.paths
        self._tools.mounts.check([paths.outbox, paths.done, paths.failed])
        for job in self._waiting(Stage.QUARANTINE, now):
            self._finishing.quarantine(job)
        for job in self._waiting(Stage.PUBLISH, now):
            self._finishing.publish(job)

    def warm(self, now: float) -> None:
        """A file is coming: have processes ready for it. Raises OSError."""
        aligning = self._tools.config.align.enabled
        stages = (Stage.TRANSCRIBE, Stage.ALIGN) if aligning else (Stage.TRANSCRIBE,)
        self._tools.lanes.warm(stages, now)

    def anything_left(self) -> bool:
        """Whether any job of ours is not at its end."""
        ledger = self._tools.ledger
        if self._only is None:
            return ledger.anything_active()
        job = ledger.job(self._only)
        return job is not None and job.next not in TERMINAL

    def _start_preparation(self, now: float) -> None:
        if self._tools.lanes.of(Stage.PREPARE):
            return
        for job in self._waiting(Stage.PREPARE, now):
            if self._begin(job, Stage.PREPARE, now):
                self.warm(now)
                return

    def _start_transcriptions(self, now: float) -> None:
        """Hand the worker several files, which it may decode in one batch.

        A file whose transcription failed before goes alone: if it brings the worker down again,
        it does so on its own account only.
        """
        lanes = self._tools.lanes
        for job in self._waiting(Stage.TRANSCRIBE, now):
            busy = lanes.of(Stage.TRANSCRIBE)
            if len(busy) >= _AHEAD or any(self._has_failed(run.job) for run in busy):
                return
            if busy and self._has_failed(job):
                return
            self._begin(job, Stage.TRANSCRIBE, now)

    def _has_failed(self, job: Job) -> bool:
        return self._tools.ledger.record(job.id, Stage.TRANSCRIBE).failures > 0

    def _warm_aligners(self, now: float) -> None:
        """Their imports and the model's load pass while the files are transcribed."""
        lanes = self._tools.lanes
        for run in lanes.of(Stage.TRANSCRIBE):
            aligning = lanes.of(Stage.ALIGN)
            if not self._tools.config.align.enabled or len(aligning) >= _ALIGNERS:
                return
            served = {one.job.id for one in aligning}
            if run.job.id not in served and self._begin(run.job, Stage.ALIGN, now):
                self._warm_next_aligner(now)

    def _start_aligners(self, now: float) -> None:
        for job in self._waiting(Stage.ALIGN, now):
            if len(self._tools.lanes.of(Stage.ALIGN)) >= _ALIGNERS:
                return
            if self._begin(job, Stage.ALIGN, now):
                self._tools.lanes.ring(job.id, complete=True, now=now)
                self._warm_next_aligner(now)

    def _warm_next_aligner(self, now: float) -> None:
        """If another file will need one: its imports pass while these work."""
        lanes, ledger = self._tools.lanes, self._tools.ledger
        served = {run.job.id for run in lanes.of(Stage.ALIGN)}
        coming = chain(ledger.waiting(Stage.ALIGN), ledger.waiting(Stage.TRANSCRIBE))
        if any(job.id not in served and self._wanted(job) for job in islice(coming, _AHEAD)):
            lanes.warm((Stage.ALIGN,), now)

    def _waiting(self, stage: Stage, now: float) -> Iterator[Job]:
        lanes = self._tools.lanes
        for job in self._tools.ledger.waiting(stage):
            busy = {run.job.id for run in lanes.of(stage)}  # anew: the caller starts them
            if job.id not in busy and self._outcomes.may_start(job, now) and self._wanted(job):
                yield job

    def _wanted(self, job: Job) -> bool:
        return self._only is None or job.id == self._only

    def _begin(self, job: Job, stage: Stage, now: float) -> bool:
        """Start an attempt, unless its attempts are used up; True if it runs now."""
        tools = self._tools
        if self._outcomes.used_up(job, stage):
            return False
        if reason := self._scarcity():
            tools.pause.begin("machine", reason, now)
            return False
        tools.pause.end("machine")
        if not self._lay_out(job, stage):
            return False
        tools.ledger.begin(job.id, stage, tools.wall())
        try:
            run = tools.lanes.start(job, stage, self._limits(job, stage), now)
        except OSError:
            tools.ledger.give_back(job.id, stage)
            raise
        shared = stage is Stage.TRANSCRIBE and len(tools.lanes.of(stage)) > 1
        run.waiting = stage is Stage.ALIGN or shared
        return True

    def _limits(self, job: Job, stage: Stage) -> RunLimits:
        audio = 0.0
        if stage is not Stage.PREPARE:
            audio = artefacts.read_prepared(self._tools.folder(job.id)).duration
        return RunLimits.of(self._tools.config, stage, audio)

    def _scarcity(self) -> str | None:
        """What the machine has too little of to begin anything. Raises OSError."""
        limits = self._tools.config.limits
        if not limits.on_battery and on_battery():
            return "running on battery (limits.on_battery is false): connect the power adapter"
        return scarce_disk((self._tools.jobs,), limits.min_free_mb)

    def _lay_out(self, job: Job, stage: Stage) -> bool:
        """Make the job folder ready for a stage; False if the job has to go back to PREPARE."""
        folder = self._tools.folder(job.id)
        if stage is Stage.PREPARE:
            folder.mkdir(mode=0o700, exist_ok=True)
            artefacts.drop_large(folder)  # what was made of other bytes must not be delivered
            self._request(job).write(folder)
            return True
        if not (folder / artefacts.AUDIO).exists() or not (folder / artefacts.PREPARED).exists():
            self._tools.ledger.advance(job.id, Stage.PREPARE)  # somebody tidied the state folder
            return False
        if stage is Stage.TRANSCRIBE:
            for name in _MADE_FROM_AUDIO:
                (folder / name).unlink(missing_ok=True)
        return True

    def _request(self, job: Job) -> JobRequest:
        config = self._tools.config
        return JobRequest(
            source=job.source,
            identity=job.identity,
            language=config.transcribe.language or None,
            languages=config.transcribe.languages,
            initial_prompt=config.transcribe.initial_prompt or None,
            max_bytes=config.limits.max_file_mb * _MB,
            max_seconds=config.limits.max_audio_hours * 3600,
            min_free_bytes=config.limits.min_free_mb * _MB,
            asr_words=registry.asr_words_wanted(config),
        )
