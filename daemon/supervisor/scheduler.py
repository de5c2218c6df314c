"""Which stage starts next, for which job, with which limits.

What waits is ordered by admission plus the estimated work: a memo overtakes an audio book that came
a little earlier, and the book comes first once it has waited for as long as its own work takes.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from itertools import islice

import psutil

from daemon.config.settings import Config
from daemon.domain.job import Job, Stage
from daemon.supervisor import lending
from daemon.supervisor.context import Context
from daemon.supervisor.last_steps import LastSteps
from daemon.supervisor.places import AHEAD, Places, is_short
from daemon.supervisor.publishing import Publishing
from daemon.supervisor.scarcity import frees_space
from daemon.supervisor.starts import Starts
from daemon.supervisor.transitions import Transitions
from daemon.supervisor.turns import Turns
from daemon.supervisor.waiting import SORTED, WaitingJobs

_SPARE_MEMORY = 500_000_000  # bytes that are free: what waits for a file takes a quarter of them


class Scheduler:
    """Keeps every stage busy; a file that failed before waits for the rest."""

    def __init__(
        self,
        context: Context,
        transitions: Transitions,
        last_steps: LastSteps,
        only: int | None = None,
    ) -> None:
        self._context = context
        self._transitions = transitions
        self._waiting = WaitingJobs(context, transitions, only)
        self._starts = Starts(context, transitions)
        self._places = Places(context)
        self._was_busy = False
        self.turns = Turns(context, transitions)
        self._commands_of: Config | None = None  # whose commands the attempts use
        self._publishing = Publishing(
            context, last_steps, self._waiting, self._starts, self._places, self.turns
        )

    def start_due(self, now: float) -> None:
        """Start whatever can start. Raises OSError for faults of the machine."""
        self._start_aligners(now)
        self._start_transcriptions(now)
        coming = [*self._next_at(Stage.ALIGN), *self._next_at(Stage.TRANSCRIBE)][:AHEAD]
        self._start_diarizer(coming, now)
        self._prewarm_aligners(now)
        self._prewarm_next_aligner(coming, now)
        self._prewarm_publisher(now)
        waiting = self._waiting.at(Stage.PREPARE, now, by_due=True)
        lending.lend_due(
            self._context, waiting, lambda job, host: self._starts.lend(job, host, now)
        )
        self._start_preparations(now)
        # Last, because a start that is one too many decides that a file goes no further.
        self._publishing.take_due(now)

    def _begin(self, job: Job, stage: Stage, now: float) -> bool:
        """Start an attempt; True if it runs now. A defect of ours costs that file alone."""
        return bool(self.turns.guard(job, stage, lambda job: self._starts.begin(job, stage, now)))

    def anything_left(self) -> bool:
        """Whether any job of ours is not at its end."""
        return self._waiting.anything_left()

    def expect_file(self, now: float) -> None:
        """A file is settling: imports pass meanwhile. Raises OSError."""
        self._context.attempts.prewarm((Stage.PREPARE,), now)
        self._prewarm(now)

    def _prewarm(self, now: float) -> None:
        """A file is on its way: have processes ready for it. Raises OSError."""
        if self._context.attempts.awaits_change:
            return
        aligning = self._context.config.align.enabled
        stages = (Stage.TRANSCRIBE, Stage.ALIGN) if aligning else (Stage.TRANSCRIBE,)
        self._context.attempts.prewarm(stages, now)

    def keep_ahead(self, now: float) -> None:
        """When the work ends: imports are over before somebody drops the next file.

        What is spent on one file waits beside the transcriber, if memory is to spare, and is
        unloaded with it.
        """
        attempts = self._context.attempts
        was_busy, self._was_busy = self._was_busy, bool(attempts.running)
        if self._was_busy or not was_busy:
            return
        if attempts.awaits_change or attempts.idle_since() is None:
            return
        if psutil.virtual_memory().available >= _SPARE_MEMORY:
            aligner = (Stage.ALIGN,) if self._context.config.align.enabled else ()
            with contextlib.suppress(OSError):  # the next file's start says so, if it lasts
                attempts.prewarm((Stage.PREPARE, *aligner), now)

    def _start_preparations(self, now: float) -> None:
        """Several at a time, but no more decoded audio than the transcriber needs ahead."""
        short_fits, long_fits = self._places.for_preparing()
        if not short_fits:
            return
        waiting = self._waiting.first_at(Stage.PREPARE, now, by_due=True)
        for job in islice(waiting, SORTED):
            if not (long_fits or is_short(job)):
                continue
            if not self._has_room(job):
                return
            if self._starts.profiles_are_good(job, Stage.PREPARE) and self._begin(
                job, Stage.PREPARE, now
            ):
                self._prewarm(now)
                short_fits, long_fits = self._places.for_preparing()
                if not short_fits:
                    return

    def _has_room(self, job: Job) -> bool:
        """What filled the disk beside others is decoded when no other audio lies there."""
        alone = self._transitions.alone.decoded
        busy = self._context.attempts.of(Stage.PREPARE)
        if job.id in alone:
            return not busy and not frees_space(self._context)
        return not any(attempt.job.id in alone for attempt in busy)

    def _start_transcriptions(self, now: float) -> None:
        """Hand the worker several files, which it may decode in one batch.

        A file whose transcription failed before goes alone: if it brings the worker down again,
        it does so on its own account only.
        """
        attempts = self._context.attempts
        if attempts.awaits_change or self._places.is_full(Stage.TRANSCRIBE):
            return
        for job in self._waiting.at(Stage.TRANSCRIBE, now, by_due=True):
            busy = attempts.of(Stage.TRANSCRIBE)
            if any(self._is_suspect(attempt.job) for attempt in busy):
                return
            if not self._places.has_place(Stage.TRANSCRIBE, job.id):
                continue
            if busy and self._is_suspect(job):
                return
            if not self._starts.profiles_are_good(job, Stage.TRANSCRIBE):
                continue
            self._use_commands(job)
            if attempts.awaits_change:  # another model: the files under way are finished first
                return
            self._begin(job, Stage.TRANSCRIBE, now)

    def _use_commands(self, job: Job) -> None:
        """Have the worker started as this file's settings say. To make the commands is dear."""
        config, commands = self._context.config_where_good(job), self._context.commands
        if commands is not None and config is not self._commands_of:
            self._context.attempts.use(commands(config))
            self._commands_of = config

    def _is_suspect(self, job: Job) -> bool:
        """Whether it may bring its process down, and so must not share it with other files."""
        failures = self._context.ledger.record(job.id, Stage.TRANSCRIBE).failures
        return failures > 0 or job.id in self._transitions.alone.transcribed

    def _prewarm_aligners(self, now: float) -> None:
        """Their imports and the model's load pass while the files are transcribed."""
        attempts = self._context.attempts
        if self._places.is_full(Stage.ALIGN):
            return
        for attempt in attempts.of(Stage.TRANSCRIBE):
            served = {attempt.job.id for attempt in attempts.of(Stage.ALIGN)}
            if attempt.job.id in served or not self._is_aligned(attempt.job):
                continue
            if self._places.has_place(Stage.ALIGN, attempt.job.id):
                self._begin(attempt.job, Stage.ALIGN, now)

    def _prewarm_publisher(self, now: float) -> None:
        """Its imports pass while the last stage before it is at work."""
        attempts = self._context.attempts
        is_near = bool(attempts.of(Stage.TRANSCRIBE) or attempts.of(Stage.ALIGN))
        if is_near and not attempts.of(Stage.PUBLISH):
            attempts.prewarm((Stage.PUBLISH,), now)

    def _is_aligned(self, job: Job) -> bool:
        return self._context.config_lately(job.id).align.enabled

    def _start_aligners(self, now: float) -> None:
        if self._places.is_full(Stage.ALIGN):
            return
        for job in self._waiting.at(Stage.ALIGN, now):
            if self._places.has_place(Stage.ALIGN, job.id) and self._begin(job, Stage.ALIGN, now):
                self._context.attempts.send_more_input(job.id, complete=True, now=now)

    def _next_at(self, stage: Stage) -> list[int]:
        """The first jobs for which `stage` is next."""
        return list(islice(self._context.ledger.waiting(stage), AHEAD))

    def _start_diarizer(self, coming: Sequence[int], now: float) -> None:
        """Beside whatever else is done to a file that is prepared."""
        context = self._context
        if self._places.is_full(Stage.DIARIZE):
            return
        waiting = [*self._next_at(Stage.DIARIZE), *coming][:AHEAD]
        busy = {attempt.job.id for attempt in context.attempts.of(Stage.DIARIZE)}
        for number in waiting:
            if number in busy or not self._places.has_place(Stage.DIARIZE, number):
                continue
            if not (
                self._transitions.wants_speakers(number) and self._waiting.may_start(number, now)
            ):
                continue
            if (job := context.ledger.job(number)) is not None:
                self._begin(job, Stage.DIARIZE, now)
                return

    def _prewarm_next_aligner(self, coming: Sequence[int], now: float) -> None:
        """If another file will need one: its imports pass while these work."""
        attempts = self._context.attempts
        served = {attempt.job.id for attempt in attempts.of(Stage.ALIGN)}
        if not served:
            return
        if any(job not in served and self._waiting.is_ours(job) for job in coming):
            attempts.prewarm((Stage.ALIGN,), now)
