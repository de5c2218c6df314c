"""What the end of a stage means for its job: on to the next, again, or out."""

from __future__ import annotations

from daemon.domain.job import Failure, FailureKind, Job, Stage
from daemon.domain.transcript import Alignment, AlignmentStatus
from daemon.handoff import alignment_log, artefacts
from daemon.outbox import summary
from daemon.processes import outcome
from daemon.processes.attempt import Run
from daemon.processes.outcome import Verdict
from daemon.supervisor.backoff import Backoff
from daemon.supervisor.context import Tools
from daemon.supervisor.last_steps import archive


class Outcomes:
    """Draws the consequences of stages' ends.

    `unsettled` is shared with the intake: a job in it waits until its file is still again. None:
    there is no inbox to watch, so a file that changes under us fails.
    """

    def __init__(self, tools: Tools, unsettled: set[int] | None) -> None:
        self._tools = tools
        self.unsettled = unsettled
        self._backoff = Backoff(tools.config.limits.retry_seconds)

    # Before a start

    def may_start(self, job: Job, now: float) -> bool:
        waits = self.unsettled is not None and job.id in self.unsettled
        return not waits and self._backoff.is_over(job.id, now)

    def next_retry(self, now: float) -> float | None:
        """When the next job that still has to wait may be tried again (monotonic)."""
        return self._backoff.next(now)

    def used_up(self, job: Job, stage: Stage) -> bool:
        """Whether the stage may not be tried again; if so, the consequence is drawn."""
        record = self._tools.ledger.record(job.id, stage)
        if record.interruptions() >= self._tools.config.limits.max_interruptions:
            found = outcome.interrupted(stage, record.interruptions())
        elif record.failures >= self._attempts(job, stage):
            found = Verdict(FailureKind.CRASHED, record.reason, record.exit)
        else:
            return False
        self._give_up(job, stage, found)
        return True

    def _attempts(self, job: Job, stage: Stage) -> int:
        """How many failures a stage is allowed."""
        config = self._tools.config
        if stage is not Stage.ALIGN:
            return config.limits.max_attempts
        return alignment_log.read(self._tools.folder(job.id)).allowed(config.align.attempts)

    # After an end

    def conclude(self, run: Run, found: Verdict, now: float) -> None:
        """One attempt ended: store it, and decide."""
        tools, job = self._tools, run.job
        match found.kind:
            case None:
                self._succeeded(run, found)
                tools.pause.end("work")
            case FailureKind.ENVIRONMENT:
                tools.ledger.give_back(job.id, run.stage)
                self.abandon(job)  # an aligner must not wait for as long as the pause takes
                tools.pause.begin("work", found.message, now)
            case FailureKind.CHANGED | FailureKind.VANISHED if self.unsettled is not None:
                tools.ledger.give_back(job.id, run.stage)
                self.unsettled.add(job.id)
            case FailureKind.BAD_INPUT | FailureKind.CHANGED | FailureKind.VANISHED:
                tools.ledger.end(job.id, run.record(found, tools.wall()), None)
                self._give_up(job, run.stage, found)
            case _:
                self._failed(run, found, now)

    def abandon(self, job: Job) -> None:
        """End whatever runs for a job; none of it counts."""
        for run in self._tools.lanes.stop(job.id):
            self.give_back(run)

    def give_back(self, run: Run) -> None:
        """We ended this run ourselves: it does not count."""
        self._tools.ledger.give_back(run.job.id, run.stage)

    def _succeeded(self, run: Run, found: Verdict) -> None:
        tools, job = self._tools, run.job
        following = {
            Stage.PREPARE: self._after_prepare,
            Stage.TRANSCRIBE: self._after_transcribe,
            Stage.ALIGN: self._after_align,
        }[run.stage](job)
        tools.ledger.end(job.id, run.record(found, tools.wall()), following)
        if following is Stage.DONE:
            tools.ledger.finish(job.id, Stage.DONE, tools.wall())
            tools.courier.clear(job)

    def _after_prepare(self, job: Job) -> Stage:
        """To TRANSCRIBE, unless these very bytes have been there before."""
        tools, folder = self._tools, self._tools.folder(job.id)
        prepared = artefacts.read_prepared(folder)
        if self._delivered_before(job, prepared.sha256):
            archive(tools, job)
            tools.journal.tell("unchanged", "the same recording was delivered before", job)
            return Stage.DONE
        for warning in prepared.warnings:
            tools.journal.warn("damaged", warning, job)
        tools.journal.tell(
            "prepared",
            f"decoded {summary.clock(prepared.duration)} of audio"
            f" ({prepared.codec} in {prepared.container.split(',')[0]})",
            job,
            audio_seconds=prepared.duration,
            speech_seconds=round(sum(end - start for start, end in prepared.speech), 3),
        )
        if tools.ledger.digest(job.id) != prepared.sha256:
            (folder / artefacts.TRANSCRIPT).unlink(missing_ok=True)  # first, in case we die here
            tools.ledger.set_digest(job.id, prepared.sha256)
            return Stage.TRANSCRIBE
        return Stage.ALIGN if artefacts.is_whole(folder, Stage.TRANSCRIBE) else Stage.TRANSCRIBE

    def _delivered_before(self, job: Job, sha256: str) -> bool:
        """Whether the results are there already: it was kept, or an earlier ledger was lost."""
        kept = self._tools.config.output.source == "keep"
        if kept and self._tools.ledger.delivered(job.source, sha256) is not None:
            return True
        stem = self._tools.ledger.recovered(job.source.with_name(job.name), sha256)
        return stem is not None and self._tools.courier.is_delivered(stem)

    def _after_transcribe(self, job: Job) -> Stage:
        tools = self._tools
        recognition = artefacts.read_recognition(tools.folder(job.id))
        tools.journal.tell(
            "transcribed",
            f"transcribed: {len(recognition.segments)} segments,"
            f" language {recognition.language} ({recognition.language_probability:.0%})",
            job,
            segments=len(recognition.segments),
            language=recognition.language,
        )
        if not tools.config.align.enabled or not recognition.segments:
            self.abandon(job)
            return Stage.PUBLISH
        if tools.lanes.ring(job.id, complete=True, now=tools.clock()):
            tools.ledger.restart_clock(job.id, Stage.ALIGN, tools.wall())
        return Stage.ALIGN

    def _after_align(self, job: Job) -> Stage:
        alignment = artefacts.read_alignment(self._tools.folder(job.id))
        words = sum(map(len, alignment.words.values()))
        tell = self._tools.journal.tell
        if alignment.status is not AlignmentStatus.COMPLETE:
            tell = self._tools.journal.warn
        reason = f": {alignment.reason}" if alignment.reason else ""
        message = f"aligned: {words} words, {alignment.status}{reason}"
        tell("aligned", message, job, words=words, status=alignment.status)
        return Stage.PUBLISH

    def _failed(self, run: Run, found: Verdict, now: float) -> None:
        tools, job = self._tools, run.job
        tools.ledger.end(job.id, run.record(found, tools.wall()), None)
        failures = tools.ledger.record(job.id, run.stage).failures
        if failures >= self._attempts(job, run.stage):
            self._give_up(job, run.stage, found)
            return
        if run.stage is Stage.TRANSCRIBE:
            self.abandon(job)  # its aligner waits for what will not come
        wait = 0.0
        if run.stage is not Stage.ALIGN:
            wait = self._backoff.wait(job.id, failures, now)
        tools.journal.warn(
            "retrying", f"{found.message}; trying again", job, stage=run.stage, wait_seconds=wait
        )

    def _give_up(self, job: Job, stage: Stage, found: Verdict) -> None:
        """The file fails; or, if only its words' times are at stake, goes on without them."""
        tools = self._tools
        if stage is Stage.ALIGN:
            current = tools.ledger.job(job.id)
            if current is not None and current.next is stage:  # else: when its input is whole
                self._go_on_without_words(job, found)
            return
        self.abandon(job)
        kind = found.kind or FailureKind.CRASHED
        tools.ledger.condemn(job.id, Failure(stage, kind, found.message))

    def _go_on_without_words(self, job: Job, found: Verdict) -> None:
        tools, folder = self._tools, self._tools.folder(job.id)
        attempts = tools.ledger.record(job.id, Stage.ALIGN).failures
        reason = found.message + (f" ({attempts} attempts)" if attempts > 1 else "")
        words = alignment_log.read(folder).words
        status = AlignmentStatus.PARTIAL if words else AlignmentStatus.FAILED
        alignment = Alignment(status, reason, "", words)
        artefacts.write_artefact(folder / artefacts.ALIGNMENT, "", alignment.to_json())
        tools.journal.warn(
            "unaligned", f"delivering segments without word times: {reason}", job, reason=reason
        )
        tools.ledger.advance(job.id, Stage.PUBLISH)
