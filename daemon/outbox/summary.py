"""The summary of a delivered file, for the log: its fields, and one line."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path

from daemon.domain.transcript import Json, coverage
from daemon.outbox.documents import Delivery

_WORK = ("prepare", "transcribe", "align", "publish")


def work_seconds(stages: Mapping[str, Json]) -> float:
    """How long any stage was at work: waiting in the queue or between stages does not count."""
    spans = sorted(
        (_moment(stage["start"]), _moment(stage["end"]))
        for name, stage in stages.items()
        if name in _WORK and stage["start"] and stage["end"]
    )
    total = until = 0.0
    for start, end in spans:
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return max(total, 0.001)


def _moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text).timestamp()


def facts(
    delivery: Delivery, paths: Sequence[Path], stages: Mapping[str, Json], now: float
) -> Json:
    """The fields of the "done" event. `speed` is that of the work: waiting is told apart."""
    total = max(now - delivery.job.admitted_at, 0.001)
    work = work_seconds(stages)
    recognition = delivery.recognition
    return {
        "backend": recognition.backend,
        "device": recognition.device,
        "model": recognition.model,
        "language": recognition.language,
        "audio_seconds": delivery.prepared.duration,
        "seconds": round(total, 3),
        "work_seconds": round(work, 3),
        "speed": round(delivery.prepared.duration / work, 2),
        "segments": len(delivery.segments),
        "words": len(delivery.words),
        "coverage": coverage(delivery.segments),
        "alignment": str(delivery.alignment.status),
        "outputs": [path.name for path in paths],
    }


def line(delivery: Delivery, told: Json) -> str:
    """For the log: what was done, by what, how fast, and what came of it."""
    waited = told["seconds"] - told["work_seconds"]
    waiting = f", after {waited:.1f} s of waiting" if waited >= 1 else ""
    return (
        f"done in {told['work_seconds']:.1f} s ({told['speed']:.1f} × real time){waiting}:"
        f" {told['backend']} on {told['device']}, {told['model']},"
        f" {clock(delivery.prepared.duration)} of audio, {told['segments']} segments,"
        f" {told['words']} words ({told['alignment']}) → {told['outputs'][-1]}"
    )


def clock(seconds: float) -> str:
    """Minutes and seconds, as people write them: 12:24, or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
