"""How often a stage is tried; and what is delivered of a file that can do without the stage."""

from __future__ import annotations

from daemon.domain.job import Job, Stage
from daemon.domain.ladder import Aligned, climb
from daemon.domain.speakers import Diarization, DiarizationStatus
from daemon.domain.transcript import Alignment, AlignmentStatus
from daemon.handoff import alignment_log, artefacts
from daemon.processes.outcome import Outcome
from daemon.supervisor.context import Context

_RENDERINGS = 3  # attempts at rendering at least


def max_failures(context: Context, job: Job, stage: Stage) -> int:
    """After how many of them the stage is given up."""
    config = context.config
    if stage is Stage.DIARIZE:
        return config.speakers.attempts
    if stage is Stage.PUBLISH:  # the last one leaves out the format that kills the process
        return max(config.limits.max_attempts, _RENDERINGS)
    if stage is not Stage.ALIGN:
        return config.limits.max_attempts
    history = alignment_log.read(context.folder(job.id))
    return history.allowed(config.align.attempts)


def write_without_words(context: Context, job: Job, final: Outcome) -> None:
    """An alignment of the words that earlier children finished, if any; it says why."""
    folder = context.folder(job.id)
    attempts = context.ledger.record(job.id, Stage.ALIGN).failures
    reason = final.message + (f" ({attempts} attempts)" if attempts > 1 else "")
    history = alignment_log.read(folder)
    tried = {id_: Aligned(*finished) for id_, finished in history.finished.items()}
    words = climb(artefacts.read_recognition(folder).segments, tried, "").words
    status = AlignmentStatus.PARTIAL if words else AlignmentStatus.FAILED
    alignment = Alignment(status, reason, "", words)
    artefacts.write_artefact(folder / artefacts.ALIGNMENT, "", alignment)
    message = f"delivering segments without word times: {reason}"
    context.event_log.warning("unaligned", message, job, reason=reason)


def write_without_speakers(context: Context, job: Job, final: Outcome) -> None:
    """Who speaks stays open; the artefact says why."""
    none = Diarization(DiarizationStatus.FAILED, final.message)
    artefacts.write_artefact(context.folder(job.id) / artefacts.SPEAKERS, "", none)
    message = f"delivering without speakers: {final.message}"
    context.event_log.warning("no_speakers", message, job, reason=final.message)
