"""The summary of a delivered file, for the log: its fields, and one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from daemon.domain.transcript import Json, coverage
from daemon.outbox.documents import Delivery


def facts(delivery: Delivery, paths: Sequence[Path], now: float) -> Json:
    """The fields of the "done" event."""
    total = max(now - delivery.job.admitted_at, 0.001)
    recognition = delivery.recognition
    return {
        "backend": recognition.backend,
        "device": recognition.device,
        "model": recognition.model,
        "language": recognition.language,
        "audio_seconds": delivery.prepared.duration,
        "seconds": round(total, 3),
        "speed": round(delivery.prepared.duration / total, 2),
        "segments": len(delivery.segments),
        "words": len(delivery.words),
        "coverage": coverage(delivery.segments),
        "alignment": str(delivery.alignment.status),
        "outputs": [path.name for path in paths],
    }


def line(delivery: Delivery, told: Json) -> str:
    """For the log: what was done, by what, how fast, and what came of it."""
    return (
        f"done in {told['seconds']:.1f} s ({told['speed']:.1f} × real time):"
        f" {told['backend']} on {told['device']}, {told['model']},"
        f" {clock(delivery.prepared.duration)} of audio, {told['segments']} segments,"
        f" {told['words']} words ({told['alignment']}) → {told['outputs'][-1]}"
    )


def clock(seconds: float) -> str:
    """Minutes and seconds, as people write them: 12:24, or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
