"""The way of a recording, from admission to delivery, and what each kind of failure does to it.

    in the inbox   a scan finds it still and whole: a row in the ledger       admission.py
    PREPARE        decoded, hashed, speech found  -> TRANSCRIBE
                   transcribed before             -> ALIGN
                   delivered before               -> DONE
    TRANSCRIBE     text and segments              -> ALIGN, or PUBLISH if no words are wanted
    ALIGN          words with times               -> PUBLISH; given up: PUBLISH without words
    DIARIZE        who speaks when; it runs beside the two before, and is next (before PUBLISH)
                   only where it has not ended yet; given up: PUBLISH without speakers
    PUBLISH        rendered, then, once that is done:
                   results into the outbox, the recording to done/ -> DONE    last_steps.py
    QUARANTINE     the recording to failed/ with the reason -> FAILED         last_steps.py

    a scan misses the file before it was read     -> GONE
    the file changed                              -> PREPARE, from anywhere before its delivery
    a later job read the same file: it was renamed and touched. The later job -> GONE, and the
                                                   earlier one follows the file, as if it changed

The scheduler starts what is next. An attempt ends in an Outcome, and its kind decides here:

    none (success)       the next stage, as above
    BAD_INPUT, CANCELLED QUARANTINE; only a person cancels
    CRASHED, TIMED_OUT,  the same stage again, after a wait that grows; after limits.max_attempts
    MEMORY               QUARANTINE, or without words if it was ALIGN
    ENVIRONMENT          the start is uncounted; the queue pauses, then the same stage again
    CHANGED, VANISHED    the start is uncounted; held until a scan finds the file still again
                         (QUARANTINE where no inbox is watched)
    INCOMPLETE           as BAD_INPUT; a file that was seen to grow is held and read again first
    NO_ROOM              uncounted; again when no other audio fills the disk, and then as BAD_INPUT
    INTERRUPTED          the daemon itself was killed limits.max_interruptions times: QUARANTINE
    NOT_BEGUN, SUSPECTED died over several files: uncounted; a suspect is transcribed alone next
    LOST                 lent to another machine: an interruption; PREPARE again, on this one

A file that was lent has gone the way to PUBLISH, or to ALIGN, elsewhere: lending.py.
"""

from __future__ import annotations

from dataclasses import replace

from daemon.domain.job import TERMINAL, Candidate, Failure, FailureKind, Job, Stage
from daemon.domain.speakers import Diarization
from daemon.domain.transcript import Alignment, Recognition
from daemon.files.state_folder import job_file
from daemon.handoff import artefacts, lent
from daemon.handoff.artefacts import Prepared
from daemon.handoff.outputs import OutputSet
from daemon.inbox.unfinished import UnfinishedFiles
from daemon.processes import outcome
from daemon.processes.attempt import Attempt
from daemon.processes.outcome import Outcome
from daemon.supervisor import given_up, lending, stage_events
from daemon.supervisor.alone import Alone
from daemon.supervisor.backoff import Backoff
from daemon.supervisor.context import Context
from daemon.supervisor.held_jobs import HeldJobs
from daemon.supervisor.last_steps import left_behind_by, skip_if_delivered


class Transitions:
    """Moves jobs on, again, or out."""

    def __init__(self, context: Context, held: HeldJobs, unfinished: UnfinishedFiles) -> None:
        self._context = context
        self._held = held
        self._unfinished = unfinished
        self.backoff = Backoff(context.config.limits.retry_seconds)
        self.alone = Alone()

    # Before a start

    def may_start(self, job: int, now: float) -> bool:
        return job not in self._held and self.backoff.is_over(job, now)

    def final_outcome(self, job: Job, stage: Stage) -> Outcome | None:
        """Why the stage may not be tried again; None if it may."""
        record = self._context.ledger.record(job.id, stage)
        if record.interruptions() >= self._context.config.limits.max_interruptions:
            return outcome.interrupted(stage, record.interruptions())
        if record.failures and record.failures >= given_up.max_failures(self._context, job, stage):
            return Outcome(record.kind or FailureKind.CRASHED, record.reason, record.exit)
        return None

    def give_up(self, job: Job, stage: Stage, final: Outcome) -> None:
        """The file fails; or, if only times or speakers are at stake, goes on without them."""
        ledger = self._context.ledger
        if stage is Stage.DIARIZE:
            self._go_on_without_speakers(job, final)
            return
        if stage is Stage.ALIGN:
            current = ledger.job(job.id)
            if current is not None and current.next is stage:  # else: when its input is whole
                self._go_on_without_words(job, final)
            return
        self.abandon(job)
        kind = final.kind or FailureKind.CRASHED
        ledger.mark_failed(job.id, Failure(stage, kind, final.message))

    def _go_on_without_words(self, job: Job, final: Outcome) -> None:
        given_up.write_without_words(self._context, job, final)
        self._context.ledger.move(job.id, self._after_words(job))

    def _go_on_without_speakers(self, job: Job, final: Outcome) -> None:
        given_up.write_without_speakers(self._context, job, final)
        current = self._context.ledger.job(job.id)
        if current is not None and current.next is Stage.DIARIZE:
            self._context.ledger.move(job.id, Stage.PUBLISH)

    def wants_speakers(self, job: int) -> bool:
        """Whether it is still open who speaks in this file."""
        wanted = self._context.config_lately(job).speakers.mode != "off"
        return wanted and not (self._context.folder(job) / artefacts.SPEAKERS).exists()

    def _after_words(self, job: Job) -> Stage:
        return Stage.DIARIZE if self.wants_speakers(job.id) else Stage.PUBLISH

    # After an end

    def apply_outcome(self, attempt: Attempt, ended: Outcome, now: float) -> None:
        """One attempt ended: store it, and decide. After a fault it is to be called again."""
        context, job = self._context, attempt.job
        match ended.kind:
            case None | FailureKind.INCOMPLETE if self._waits_for_the_rest(attempt, ended):
                self.uncount_start(attempt)
            case None:
                self._after_success(attempt, ended)
            case FailureKind.LOST:
                lending.interrupt(context, attempt, ended)
            case FailureKind.ENVIRONMENT:
                self.uncount_start(attempt)
                self.abandon(job)  # an aligner must not wait for as long as the pause takes
                context.pause.begin("work", ended.message, now)
            case kind if self.alone.is_next(job.id, attempt.nonce, kind):
                self.uncount_start(attempt)
                self.abandon(job)
            case FailureKind.CHANGED | FailureKind.VANISHED if self._held.hold(job.id):
                self.uncount_start(attempt)
            case FailureKind.BAD_INPUT | FailureKind.CHANGED | FailureKind.VANISHED:
                self._store(attempt, ended)
                self.give_up(job, attempt.stage, ended)
            case FailureKind.INCOMPLETE | FailureKind.NO_ROOM:  # and nothing more is expected
                bad = replace(ended, kind=FailureKind.BAD_INPUT, exit=str(FailureKind.BAD_INPUT))
                self._store(attempt, bad)
                self.give_up(job, attempt.stage, bad)
            case _:
                self._after_failure(attempt, ended, now)

    def _waits_for_the_rest(self, attempt: Attempt, ended: Outcome) -> bool:
        """Whether PREPARE met a file that looks unfinished, and it is given time."""
        job = attempt.job
        if ended.kind is None:
            found = attempt.result
            if attempt.host:
                folder = lent.results_folder(self._context.folder(job.id), attempt.nonce)
                found = artefacts.read_prepared(folder)
            if not (isinstance(found, Prepared) and found.is_cut_off):
                return False
        return self._unfinished.wait_for_more(job.source) and self._held.hold(job.id)

    def abandon(self, job: Job) -> None:
        """End whatever runs for a job; none of it counts."""
        self._context.background.drop(job.id)
        for attempt in self._context.attempts.stop(job.id):
            self.uncount_start(attempt)

    def uncount_start(self, attempt: Attempt) -> None:
        """We ended this attempt ourselves: it does not count."""
        if not attempt.is_stored:
            self._context.ledger.uncount_start(attempt.job.id, attempt.stage)
            attempt.is_stored = True

    def _store(self, attempt: Attempt, ended: Outcome, following: Stage | None = None) -> None:
        """Once: what comes after it may meet a fault, and the whole is repeated then."""
        if not attempt.is_stored:
            record = attempt.record(ended, self._context.unix_time())
            read = attempt.result.sha256 if isinstance(attempt.result, Prepared) else None
            sha256 = None if following in TERMINAL else read
            self._context.ledger.end(attempt.job.id, record, following, sha256)
            attempt.is_stored = True

    def _after_failure(self, attempt: Attempt, ended: Outcome, now: float) -> None:
        context, job, stage = self._context, attempt.job, attempt.stage
        self._store(attempt, ended)
        failures = context.ledger.record(job.id, stage).failures
        if stage is Stage.DIARIZE:  # what is there does not stand up
            (context.folder(job.id) / artefacts.SPEAKERS).unlink(missing_ok=True)
        if failures >= given_up.max_failures(self._context, job, stage):
            self.give_up(job, stage, ended)
            return
        if stage is Stage.TRANSCRIBE:
            self.abandon(job)  # its aligner waits for what will not come
        beside = stage in {Stage.ALIGN, Stage.DIARIZE}
        wait = 0.0 if beside else self.backoff.wait(job.id, failures, now)
        context.event_log.warning(
            "retrying", f"{ended.message}; trying again", job, stage=stage, wait_seconds=wait
        )

    def _after_success(self, attempt: Attempt, ended: Outcome) -> None:
        context, job = self._context, attempt.job
        if attempt.host:
            self._after_lending(attempt, ended)
        elif isinstance(attempt.result, OutputSet):  # its start counts until it is delivered
            for reason in attempt.result.missing:  # the other formats are delivered all the same
                context.event_log.warning("unrendered", reason, job, reason=reason)
        else:
            self._end(attempt, ended, self._following(attempt))
            context.pause.end("work")

    def _end(self, attempt: Attempt, ended: Outcome, following: Stage | None) -> None:
        job = attempt.job
        earlier = None
        if following is Stage.GONE:
            prepared = artefacts.read_prepared(self._context.folder(job.id))
            earlier = left_behind_by(self._context, job, prepared.sha256)
        self._store(attempt, ended, following)
        if following in TERMINAL:
            self._context.publisher.clear(job)
        if earlier is not None:
            self.follow(earlier, Candidate(job.source, job.identity))

    def follow(self, job: Job, candidate: Candidate) -> None:
        """The job's file lies elsewhere now, or was touched: it is read again.

        Where its delivery has begun, that is finished: half of it may be in the outbox.
        """
        self._held.release(job.id)
        if job.has_begun_delivery:
            self._context.ledger.relocate(job.id, candidate)
            return
        self.abandon(job)
        self._context.ledger.renew(job.id, candidate)
        self._context.event_log.info(
            "changed", "the file changed or was renamed: reading it again", job
        )

    def _following(self, attempt: Attempt) -> Stage | None:
        """What comes next, by what the stage's artefact says; None: what was next before."""
        match attempt.result:
            case Prepared() as prepared:
                return self._after_prepare(attempt.job, prepared)
            case Recognition() as recognition:
                return self._after_transcribe(attempt.job, recognition)
            case Alignment() as alignment:
                return self._after_align(attempt.job, alignment)
            case Diarization() as diarization:
                return self._after_diarize(attempt.job, diarization)
            case other:
                raise AssertionError(f"no stage results in {type(other).__name__}")

    def _after_lending(self, attempt: Attempt, ended: Outcome) -> None:
        """Every stage but PUBLISH ran on another machine: each enters the ledger as if here."""
        context, job, folder = self._context, attempt.job, self._context.folder(attempt.job.id)
        report, following = lending.take_over(context, attempt), Stage.PREPARE
        if report is not None:
            following = self._after_prepare(job, artefacts.read_prepared(folder))
        self._end(attempt, ended, following)
        if report is None or following in TERMINAL:
            return
        lending.enter_costs(context, job.id, report)
        following = self._after_transcribe(job, artefacts.read_recognition(folder))
        if following is Stage.ALIGN and (folder / artefacts.ALIGNMENT).exists():
            following = self._after_align(job, artefacts.read_alignment(folder))
        context.ledger.move(job.id, following)

    def _after_prepare(self, job: Job, prepared: Prepared) -> Stage:
        context, folder = self._context, self._context.folder(job.id)
        if skip_if_delivered(context, job, prepared.sha256):
            return Stage.DONE
        if left_behind_by(context, job, prepared.sha256) is not None:
            return Stage.GONE
        stage_events.prepared(context.event_log, job, prepared)
        if context.ledger.digest(job.id) != prepared.sha256:
            # Before the new digest is stored, in case we die here.
            job_file(folder, artefacts.TRANSCRIPT).unlink(missing_ok=True)
            return Stage.TRANSCRIBE
        return Stage.ALIGN if artefacts.is_whole(folder, Stage.TRANSCRIBE) else Stage.TRANSCRIBE

    def _after_transcribe(self, job: Job, recognition: Recognition) -> Stage:
        context = self._context
        stage_events.transcribed(context.event_log, job, recognition)
        config = self._context.config_where_good(job)
        if not recognition.segments:
            self.abandon(job)
            return Stage.PUBLISH
        if not config.align.enabled:
            return self._after_words(job)
        if context.attempts.send_more_input(job.id, complete=True, now=context.clock()):
            context.ledger.restart_clock(job.id, Stage.ALIGN, context.unix_time())
        return Stage.ALIGN

    def _after_align(self, job: Job, alignment: Alignment) -> Stage:
        stage_events.aligned(self._context.event_log, job, alignment)
        return self._after_words(job)

    def _after_diarize(self, job: Job, diarization: Diarization) -> Stage | None:
        context = self._context
        stage_events.diarized(context.event_log, job, diarization)
        current = context.ledger.job(job.id)
        return Stage.PUBLISH if current is not None and current.next is Stage.DIARIZE else None
