"""What the log says of a file when a stage of it has ended well."""

from __future__ import annotations

from daemon.domain.job import Job
from daemon.domain.speakers import Diarization, DiarizationStatus
from daemon.domain.transcript import Alignment, AlignmentStatus, Recognition
from daemon.handoff.artefacts import Prepared
from daemon.outbox import summary
from daemon.reporting.event_log import EventLog


def prepared(event_log: EventLog, job: Job, found: Prepared) -> None:
    for warning in found.warnings:
        event_log.warning("damaged", warning, job)
    event_log.info(
        "prepared",
        f"decoded {summary.clock(found.duration)} of audio"
        f" ({found.codec} in {found.container.split(',')[0]})",
        job,
        audio_seconds=found.duration,
        speech_seconds=round(sum(end - start for start, end in found.speech), 3),
    )


def transcribed(event_log: EventLog, job: Job, found: Recognition) -> None:
    event_log.info(
        "transcribed",
        f"transcribed: {len(found.segments)} segments,"
        f" language {found.language} ({found.language_probability:.0%})",
        job,
        segments=len(found.segments),
        language=found.language,
    )
    if found.warnings:
        event_log.warning("doubtful", "; ".join(found.warnings), job, warnings=list(found.warnings))


def aligned(event_log: EventLog, job: Job, found: Alignment) -> None:
    words = sum(map(len, found.words.values()))
    log = event_log.info if found.status is AlignmentStatus.COMPLETE else event_log.warning
    reason = f": {found.reason}" if found.reason else ""
    message = f"aligned: {words} words, {found.status}{reason}"
    log("aligned", message, job, words=words, status=found.status)


def diarized(event_log: EventLog, job: Job, found: Diarization) -> None:
    if found.status is DiarizationStatus.FAILED:
        message = f"delivering without speakers: {found.reason}"
        event_log.warning("no_speakers", message, job, reason=found.reason)
    else:
        count = len(found.voices)
        event_log.info("diarized", f"{count} speakers", job, speakers=count)
