"""What the end of a stage means for its job: on to the next, again, or out."""

from __future__ import annotations

from daemon.domain.job import Failure, FailureKind, Job, Stage
from daemon.domain.transcript import Alignment, AlignmentStatus
from daemon.handoff import alignment_log, artefacts
from daemon.outbox import summary
from daemon.processes import outcome
from daemon.processes.attempt import Attempt
from daemon.processes.outcome import Outcome
from daemon.supervisor.backoff import Backoff
from daemon.supervisor.context import Context
from daemon.supervisor.last_steps import archive


class Transitions:
    """Draws the consequences of stages' ends.

    `unsettled` is shared with the intake: a job in it waits until its file is still again. None:
    there is no inbox to watch, so a file that changes under us fails.
    """

    def __init__(self, context: Context, unsettled: set[int] | None) -> None:
        self._context = context
        self.unsettled = unsettled
        self._backoff = Backoff(context.config.limits.retry_seconds)

    # Before a start

    def may_start(self, job: Job, now: float) -> bool:
        waits = self.unsettled is not None and job.id in self.unsettled
        return not waits and self._backoff.is_over(job.id, now)

    def next_retry(self, now: float) -> float | None:
        """When the next job that still has to wait may be tried again (monotonic)."""
        return self._backoff.next(now)

    def used_up(self, job: Job, stage: Stage) -> bool:
        """Whether the stage may not be tried again; if so, the consequence is drawn."""
        record = self._context.ledger.record(job.id, stage)
        if record.interruptions() >= self._context.config.limits.max_interruptions:
            found = outcome.interrupted(stage, record.interruptions())
        elif record.failures >= self._attempts(job, stage):
            found = Outcome(FailureKind.CRASHED, record.reason, record.exit)
        else:
            return False
        self._give_up(job, stage, found)
        return True

    def _attempts(self, job: Job, stage: Stage) -> int:
        """How many failures a stage is allowed."""
        config = self._context.config
        if stage is not Stage.ALIGN:
            return config.limits.max_attempts
        return alignment_log.read(self._context.folder(job.id)).allowed(config.align.attempts)

    # After an end

    def apply_outcome(self, attempt: Attempt, found: Outcome, now: float) -> None:
        """One attempt ended: store it, and decide."""
        context, job = self._context, attempt.job
        match found.kind:
            case None:
                self._succeeded(attempt, found)
                context.pause.end("work")
            case FailureKind.ENVIRONMENT:
                context.ledger.uncount_start(job.id, attempt.stage)
                self.abandon(job)  # an aligner must not wait for as long as the pause takes
                context.pause.begin("work", found.message, now)
            case FailureKind.CHANGED | FailureKind.VANISHED if self.unsettled is not None:
                context.ledger.uncount_start(job.id, attempt.stage)
                self.unsettled.add(job.id)
            case FailureKind.BAD_INPUT | FailureKind.CHANGED | FailureKind.VANISHED:
                context.ledger.end(job.id, attempt.record(found, context.unix_time()), None)
                self._give_up(job, attempt.stage, found)
            case _:
                self._failed(attempt, found, now)

    def abandon(self, job: Job) -> None:
        """End whatever runs for a job; none of it counts."""
        for attempt in self._context.attempts.stop(job.id):
            self.uncount_start(attempt)

    def uncount_start(self, attempt: Attempt) -> None:
        """We ended this run ourselves: it does not count."""
        self._context.ledger.uncount_start(attempt.job.id, attempt.stage)

    def _succeeded(self, attempt: Attempt, found: Outcome) -> None:
        context, job = self._context, attempt.job
        following = {
            Stage.PREPARE: self._after_prepare,
            Stage.TRANSCRIBE: self._after_transcribe,
            Stage.ALIGN: self._after_align,
        }[attempt.stage](job)
        context.ledger.end(job.id, attempt.record(found, context.unix_time()), following)
        if following is Stage.DONE:
            context.ledger.finish(job.id, Stage.DONE, context.unix_time())
            context.publisher.clear(job)

    def _after_prepare(self, job: Job) -> Stage:
        """To TRANSCRIBE, unless these very bytes have been there before."""
        context, folder = self._context, self._context.folder(job.id)
        prepared = artefacts.read_prepared(folder)
        if self._delivered_before(job, prepared.sha256):
            archive(context, job)
            context.event_log.info("unchanged", "the same recording was delivered before", job)
            return Stage.DONE
        for warning in prepared.warnings:
            context.event_log.warning("damaged", warning, job)
        context.event_log.info(
            "prepared",
            f"decoded {summary.clock(prepared.duration)} of audio"
            f" ({prepared.codec} in {prepared.container.split(',')[0]})",
            job,
            audio_seconds=prepared.duration,
            speech_seconds=round(sum(end - start for start, end in prepared.speech), 3),
        )
        if context.ledger.digest(job.id) != prepared.sha256:
            (folder / artefacts.TRANSCRIPT).unlink(missing_ok=True)  # first, in case we die here
            context.ledger.set_digest(job.id, prepared.sha256)
            return Stage.TRANSCRIBE
        return Stage.ALIGN if artefacts.is_whole(folder, Stage.TRANSCRIBE) else Stage.TRANSCRIBE

    def _delivered_before(self, job: Job, sha256: str) -> bool:
        """Whether the results are there already: it was kept, or an earlier ledger was lost."""
        kept = self._context.config.output.source == "keep"
        if kept and self._context.ledger.delivered(job.source, sha256) is not None:
            return True
        stem = self._context.ledger.recovered(job.source.with_name(job.name), sha256)
        return stem is not None and self._context.publisher.is_delivered(stem)

    def _after_transcribe(self, job: Job) -> Stage:
        context = self._context
        recognition = artefacts.read_recognition(context.folder(job.id))
        context.event_log.info(
            "transcribed",
            f"transcribed: {len(recognition.segments)} segments,"
            f" language {recognition.language} ({recognition.language_probability:.0%})",
            job,
            segments=len(recognition.segments),
            language=recognition.language,
        )
        if not context.config.align.enabled or not recognition.segments:
            self.abandon(job)
            return Stage.PUBLISH
        if context.attempts.send_more_input(job.id, complete=True, now=context.clock()):
            context.ledger.restart_clock(job.id, Stage.ALIGN, context.unix_time())
        return Stage.ALIGN

    def _after_align(self, job: Job) -> Stage:
        alignment = artefacts.read_alignment(self._context.folder(job.id))
        words = sum(map(len, alignment.words.values()))
        tell = self._context.event_log.info
        if alignment.status is not AlignmentStatus.COMPLETE:
            tell = self._context.event_log.warning
        reason = f": {alignment.reason}" if alignment.reason else ""
        message = f"aligned: {words} words, {alignment.status}{reason}"
        tell("aligned", message, job, words=words, status=alignment.status)
        return Stage.PUBLISH

    def _failed(self, attempt: Attempt, found: Outcome, now: float) -> None:
        context, job = self._context, attempt.job
        context.ledger.end(job.id, attempt.record(found, context.unix_time()), None)
        failures = context.ledger.record(job.id, attempt.stage).failures
        if failures >= self._attempts(job, attempt.stage):
            self._give_up(job, attempt.stage, found)
            return
        if attempt.stage is Stage.TRANSCRIBE:
            self.abandon(job)  # its aligner waits for what will not come
        wait = 0.0
        if attempt.stage is not Stage.ALIGN:
            wait = self._backoff.wait(job.id, failures, now)
        context.event_log.warning(
            "retrying",
            f"{found.message}; trying again",
            job,
            stage=attempt.stage,
            wait_seconds=wait,
        )

    def _give_up(self, job: Job, stage: Stage, found: Outcome) -> None:
        """The file fails; or, if only its words' times are at stake, goes on without them."""
        context = self._context
        if stage is Stage.ALIGN:
            current = context.ledger.job(job.id)
            if current is not None and current.next is stage:  # else: when its input is whole
                self._go_on_without_words(job, found)
            return
        self.abandon(job)
        kind = found.kind or FailureKind.CRASHED
        context.ledger.mark_failed(job.id, Failure(stage, kind, found.message))

    def _go_on_without_words(self, job: Job, found: Outcome) -> None:
        context, folder = self._context, self._context.folder(job.id)
        attempts = context.ledger.record(job.id, Stage.ALIGN).failures
        reason = found.message + (f" ({attempts} attempts)" if attempts > 1 else "")
        words = alignment_log.read(folder).words
        status = AlignmentStatus.PARTIAL if words else AlignmentStatus.FAILED
        alignment = Alignment(status, reason, "", words)
        artefacts.write_artefact(folder / artefacts.ALIGNMENT, "", alignment.to_json())
        context.event_log.warning(
            "unaligned", f"delivering segments without word times: {reason}", job, reason=reason
        )
        context.ledger.advance(job.id, Stage.PUBLISH)
