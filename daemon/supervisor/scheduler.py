"""Which stage starts next, for which job, with which limits.

What waits is ordered by admission plus the estimated work: a memo overtakes an audio book that came
a little earlier, and the book comes first once it has waited for as long as its own work takes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain, islice

from daemon.config.profile import ProfileError
from daemon.domain.job import TERMINAL, FailureKind, Job, Stage
from daemon.handoff import artefacts
from daemon.handoff.outputs import find_outputs
from daemon.processes import outcome
from daemon.processes.attempt import AttemptLimits, AttemptState
from daemon.supervisor import lending
from daemon.supervisor.context import Context
from daemon.supervisor.job_folders import JobFolders
from daemon.supervisor.last_steps import LastSteps
from daemon.supervisor.places import AHEAD, Places, estimated, is_short
from daemon.supervisor.scarcity import frees_space, scarcity
from daemon.supervisor.transitions import Transitions
from daemon.supervisor.turns import Turns

_SORTED = 100  # waiting files that are put in order; a longer queue follows as it came


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
        self._only = only  # work on this job alone
        self._last_steps = last_steps
        self._folders = JobFolders(context)
        self._places = Places(context)
        self._rendered: set[int] = set()  # jobs whose start of PUBLISH was counted by us
        self.turns = Turns(context, transitions)

    def start_due(self, now: float) -> None:
        """Start whatever can start. Raises OSError for faults of the machine."""
        self._start_aligners(now)
        self._start_transcriptions(now)
        self._start_diarizer(now)
        self._prewarm_aligners(now)
        self._prewarm_next_aligner(now)
        self._prewarm_publisher(now)
        waiting = self._waiting(Stage.PREPARE, now, _due)
        lending.lend_due(self._context, waiting, lambda job, host: self._lend(job, host, now))
        self._start_preparations(now)
        # Last, because a start that is one too many decides that a file goes no further.
        paths = self._context.config.paths
        self._context.mounts.check_answering([paths.outbox, paths.done, paths.failed])
        for stage, step in (
            (Stage.QUARANTINE, self._last_steps.quarantine),
            (Stage.PUBLISH, lambda job: self._publish(job, now)),
        ):
            self.turns.take(self._waiting(stage, now), stage, step, now)

    def _publish(self, job: Job, now: float) -> None:
        is_counted = job.id in self._rendered
        if self._last_steps.wait_for_file(job):
            return
        if not (is_counted or self._may_be_tried(job, Stage.PUBLISH)):
            return
        if not self._profiles_are_good(job, Stage.PUBLISH):
            return
        if (outputs := find_outputs(self._context.folder(job.id))) is not None:
            self._rendered.discard(job.id)
            self._last_steps.deliver(job, outputs, is_counted)
        elif self._places.has_publisher(now) and self._begin(job, Stage.PUBLISH, now):
            self._rendered.add(job.id)

    def prewarm(self, now: float) -> None:
        """A file is coming: have processes ready for it. Raises OSError."""
        if self._context.attempts.awaits_change:
            return
        aligning = self._context.config.align.enabled
        stages = (Stage.TRANSCRIBE, Stage.ALIGN) if aligning else (Stage.TRANSCRIBE,)
        self._context.attempts.prewarm(stages, now)

    def anything_left(self) -> bool:
        """Whether any job of ours is not at its end."""
        ledger = self._context.ledger
        if self._only is None:
            return ledger.anything_active()
        job = ledger.job(self._only)
        return job is not None and job.next not in TERMINAL

    def _start_preparations(self, now: float) -> None:
        """Several at a time, but no more decoded audio than the transcriber needs ahead."""
        short_fits, long_fits = self._places.for_preparing()
        if not short_fits:
            return
        for job in islice(self._waiting(Stage.PREPARE, now, _due), _SORTED):
            if not (short_fits if is_short(job) else long_fits):
                continue
            if not self._has_room(job):
                return
            if self._profiles_are_good(job, Stage.PREPARE) and self._begin(job, Stage.PREPARE, now):
                self.prewarm(now)
                short_fits, long_fits = self._places.for_preparing()

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
        if attempts.awaits_change:
            return
        for job in self._waiting(Stage.TRANSCRIBE, now, _due):
            busy = attempts.of(Stage.TRANSCRIBE)
            if any(self._is_suspect(attempt.job) for attempt in busy):
                return
            if not self._places.has_place(Stage.TRANSCRIBE, job):
                continue
            if busy and self._is_suspect(job):
                return
            if not self._profiles_are_good(job, Stage.TRANSCRIBE):
                continue
            if self._context.commands is not None:
                attempts.use(self._context.commands(self._context.config_where_good(job)))
            if attempts.awaits_change:  # another model: the files under way are finished first
                return
            self._begin(job, Stage.TRANSCRIBE, now)

    def _is_suspect(self, job: Job) -> bool:
        """Whether it may bring its process down, and so must not share it with other files."""
        failures = self._context.ledger.record(job.id, Stage.TRANSCRIBE).failures
        return failures > 0 or job.id in self._transitions.alone.transcribed

    def _prewarm_aligners(self, now: float) -> None:
        """Their imports and the model's load pass while the files are transcribed."""
        attempts = self._context.attempts
        for attempt in attempts.of(Stage.TRANSCRIBE):
            served = {attempt.job.id for attempt in attempts.of(Stage.ALIGN)}
            if attempt.job.id in served or not self._is_aligned(attempt.job):
                continue
            if self._places.has_place(Stage.ALIGN, attempt.job):
                self._begin(attempt.job, Stage.ALIGN, now)

    def _prewarm_publisher(self, now: float) -> None:
        """Its imports pass while the last stage before it is at work."""
        attempts = self._context.attempts
        is_near = bool(attempts.of(Stage.TRANSCRIBE) or attempts.of(Stage.ALIGN))
        if is_near and not attempts.of(Stage.PUBLISH):
            attempts.prewarm((Stage.PUBLISH,), now)

    def _is_aligned(self, job: Job) -> bool:
        good = self._profiles_are_good(job, Stage.TRANSCRIBE)
        return good and self._context.config_where_good(job).align.enabled

    def _profiles_are_good(self, job: Job, stage: Stage) -> bool:
        """Whether the recording's profiles can be followed; if not, the job is given up."""
        try:
            self._context.config_for(job)
        except ProfileError as error:
            final = outcome.failed(FailureKind.BAD_INPUT, str(error))
            self._transitions.give_up(job, stage, final)
            return False
        return True

    def _start_aligners(self, now: float) -> None:
        for job in self._waiting(Stage.ALIGN, now):
            if self._places.has_place(Stage.ALIGN, job) and self._begin(job, Stage.ALIGN, now):
                self._context.attempts.send_more_input(job.id, complete=True, now=now)

    def _start_diarizer(self, now: float) -> None:
        """Beside whatever else is done to a file that is prepared."""
        context = self._context
        stages = (Stage.DIARIZE, Stage.ALIGN, Stage.TRANSCRIBE)
        waiting = chain.from_iterable(context.ledger.waiting(stage) for stage in stages)
        busy = {attempt.job.id for attempt in context.attempts.of(Stage.DIARIZE)}
        for job in islice(waiting, AHEAD):
            if job.id in busy or not self._places.has_place(Stage.DIARIZE, job):
                continue
            if self._transitions.wants_speakers(job) and self._may_start(job, now):
                self._begin(job, Stage.DIARIZE, now)
                return

    def _prewarm_next_aligner(self, now: float) -> None:
        """If another file will need one: its imports pass while these work."""
        attempts, ledger = self._context.attempts, self._context.ledger
        served = {attempt.job.id for attempt in attempts.of(Stage.ALIGN)}
        if not served:
            return
        coming = chain(ledger.waiting(Stage.ALIGN), ledger.waiting(Stage.TRANSCRIBE))
        if any(job.id not in served and self._wanted(job) for job in islice(coming, AHEAD)):
            attempts.prewarm((Stage.ALIGN,), now)

    def _waiting(
        self, stage: Stage, now: float, order: Callable[[Job], float] = lambda job: job.id
    ) -> Iterator[Job]:
        attempts = self._context.attempts
        for job in self._by_priority(self._context.ledger.waiting(stage, order)):
            busy = {attempt.job.id for attempt in attempts.running if attempt.stage is stage}
            if job.id not in busy and self._may_start(job, now):
                yield job

    def _may_start(self, job: Job, now: float) -> bool:
        return self._wanted(job) and self._transitions.may_start(job, now)

    def _by_priority(self, jobs: Iterator[Job]) -> Iterator[Job]:
        """The next ones by the priority that their profiles give them; the rest as they came."""
        yield from sorted(islice(jobs, _SORTED), key=self._priority, reverse=True)
        yield from jobs

    def _priority(self, job: Job) -> int:
        return self._context.config_where_good(job).queue.priority

    def _wanted(self, job: Job) -> bool:
        return self._only is None or job.id == self._only

    def _begin(self, job: Job, stage: Stage, now: float) -> bool:
        """Start an attempt, unless its attempts are used up; True if it runs now."""
        context = self._context
        if not self._may_be_tried(job, stage):
            return False
        if stage is not Stage.PUBLISH:  # which ends what has been begun, whatever is scarce
            if reason := scarcity(context, stage):
                if stage is not Stage.PREPARE or not frees_space(context):
                    context.pause.begin("machine", reason, now)
                return False
            context.pause.end("machine")
        if not self._folders.prepare(job, stage):
            return False
        context.ledger.begin(job.id, stage, context.unix_time())
        try:
            attempt = context.attempts.start(job, stage, self._limits(job, stage), now)
        except OSError:
            context.ledger.uncount_start(job.id, stage)
            raise
        shares_worker = stage is Stage.TRANSCRIBE and len(context.attempts.of(stage)) > 1
        if stage is Stage.ALIGN or shares_worker:
            attempt.state = AttemptState.WAITING
        return True

    def _lend(self, job: Job, host: str, now: float) -> None:
        """Start an attempt at everything up to PUBLISH on another machine."""
        context = self._context
        good = self._profiles_are_good(job, Stage.PREPARE)
        if good and self._may_be_tried(job, Stage.PREPARE):
            self._folders.prepare(job, Stage.PREPARE)
            lending.write_order(context, job)
            context.ledger.begin(job.id, Stage.PREPARE, context.unix_time())
            context.attempts.lend(job, host, lending.LIMITS, now)

    def _may_be_tried(self, job: Job, stage: Stage) -> bool:
        """Whether the stage has attempts left; if not, the job is given up."""
        final = self._transitions.final_outcome(job, stage)
        if final is not None:
            self._transitions.give_up(job, stage, final)
        return final is None

    def _limits(self, job: Job, stage: Stage) -> AttemptLimits:
        audio = 0.0
        if stage is not Stage.PREPARE:
            audio = artefacts.read_prepared(self._context.folder(job.id)).audio_seconds
        return AttemptLimits.of(self._context.config, stage, audio)


def _due(job: Job) -> float:
    """When its work could be done if it had begun at once: what has the earliest time is first."""
    return job.admitted_at + estimated(job)
