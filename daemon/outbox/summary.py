"""The brief's summary of a delivered file: one line for the log, one table for the terminal."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from daemon.domain.transcript import Json, coverage
from daemon.files.state_folder import TIMING_SUFFIX
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


def read(outbox: Path, stem: str) -> tuple[Json, Json]:
    """The two documents of a delivery: NAME.json and NAME.timing.json."""
    document: Json = json.loads((outbox / f"{stem}.json").read_bytes())
    timing: Json = json.loads((outbox / f"{stem}.{TIMING_SUFFIX}").read_bytes())
    return document, timing


def table(name: str, outbox: Path, stem: str) -> str:
    """For the terminal: the brief's summary of a delivery, and where it lies."""
    document, timing = read(outbox, stem)
    provenance, alignment = document["provenance"], document["alignment"]
    stages = timing["stages"]
    seconds = "  ".join(
        f"{stage} {stages[stage]['seconds']:.1f}"
        for stage in ("prepare", "transcribe", "align", "publish")
    )
    reason = f" ({alignment['reason']})" if alignment["reason"] else ""
    words = sum(len(segment["words"]) for segment in document["segments"])
    return "\n".join(
        (
            name,
            f"  backend       {provenance['backend']}",
            f"  device        {provenance['device']}",
            f"  model         {provenance['model']}",
            f"  language      {document['language']} ({document['language_probability']:.0%} sure)",
            f"  segments      {len(document['segments'])}",
            f"  words         {words}, alignment {alignment['status']}{reason}",
            f"  seconds       {seconds}",
            f"  total         {timing['total_seconds']:.1f} s for {clock(document['duration'])}"
            f" of audio = {timing['speed']:.1f} × real time",
            f"  outputs       {outbox / stem}.*",
        )
    )
