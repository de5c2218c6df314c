"""The summary of a delivered file, for the log: its fields, and one line."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping, Sequence

from daemon.domain.job import Job, StageRecord
from daemon.domain.transcript import Json
from daemon.handoff.outputs import Facts

_WORK = ("prepare", "transcribe", "align", "publish")


def work_seconds(stages: Mapping[str, Json]) -> float:
    """How long any stage was at work: waiting in the queue or between stages does not count."""
    return _covered(
        (_moment(stage["start"]), _moment(stage["end"]))
        for name, stage in stages.items()
        if name in _WORK and stage["start"] and stage["end"]
    )


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Seconds within any of the spans, which may overlap."""
    total = until = 0.0
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return max(total, 0.001)


def _moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def facts(
    job: Job, known: Facts, outputs: Sequence[str], records: Iterable[StageRecord], now: float
) -> Json:
    """The fields of the "done" event. `speed` is that of the work: waiting is told apart.

    `outputs` are the delivered files, by their paths below the outbox.
    """
    total = max(now - job.admitted_at, 0.001)
    work = _covered(
        (record.started_at, record.ended_at or record.started_at)
        for record in records
        if record.stage in _WORK and record.started_at
    )
    return {
        "backend": known.backend,
        "device": known.device,
        "model": known.model,
        "language": known.language,
        "audio_seconds": known.audio_seconds,
        "seconds": round(total, 3),
        "work_seconds": round(work, 3),
        "speed": round(known.audio_seconds / work, 2),
        "segments": known.segments,
        "words": known.words,
        "coverage": known.coverage,
        "alignment": str(known.alignment),
        "outputs": list(outputs),
    }


def line(facts: Json) -> str:
    """For the log: what was done, by what, how fast, and what came of it."""
    waited = facts["seconds"] - facts["work_seconds"]
    waiting = f", after {waited:.1f} s of waiting" if waited >= 1 else ""
    said = f"{facts['segments']} segments, {facts['words']} words ({facts['alignment']})"
    return (
        f"done in {facts['work_seconds']:.1f} s ({facts['speed']:.1f} × real time){waiting}:"
        f" {facts['backend']} on {facts['device']}, {facts['model']},"
        f" {clock(facts['audio_seconds'])} of audio,"
        f" {said if facts['segments'] else 'no speech was found'} → {facts['outputs'][-1]}"
    )


def clock(seconds: float) -> str:
    """Minutes and seconds, as people write them: 12:24, or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
