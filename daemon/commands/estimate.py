"""How long work will take: by what this machine's latest files took, stage by stage."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from daemon.domain.job import Job, Stage
from daemon.files.state_folder import JOBS
from daemon.ledger.ledger import Ledger

PREPARED = "prepared.json"  # as in handoff.artefacts, which takes longer to import than status runs
_LEARNT_FROM = 20  # finished files, the latest
# What takes long, in order. DIARIZE works beside these, and PUBLISH is done in a moment.
_STAGES = (Stage.PREPARE, Stage.TRANSCRIBE, Stage.ALIGN)


@dataclass(frozen=True, slots=True)
class Estimate:
    """`rates`: audio seconds that a stage does in a second, where it is known."""

    rates: Mapping[Stage, float]

    def seconds(self, stage: Stage, audio_seconds: float) -> float | None:
        """How long the stage takes for so much audio; None before anything was learnt."""
        rate = self.rates.get(stage)
        return audio_seconds / rate if rate else None

    def left(self, stage: Stage, done: float, total: float) -> float | None:
        """Seconds until a file is through, that is at `done` of `total` in `stage`, if known."""
        if not total or stage not in _STAGES:
            return None
        now = self.seconds(stage, max(total - done, 0.0))
        later = [self.seconds(one, total) for one in _STAGES[_STAGES.index(stage) + 1 :]]
        return None if now is None else now + sum(seconds or 0.0 for seconds in later)


def learn(ledger: Ledger, state: Path) -> Estimate:
    """From the finished files whose folders are still there."""
    audio = dict.fromkeys(_STAGES, 0.0)
    work = dict.fromkeys(_STAGES, 0.0)
    for job in _finished(ledger.recent(5 * _LEARNT_FROM)):
        duration = duration_of(state, job)
        for stage in _STAGES:
            record = ledger.record(job.id, stage)
            if duration and record.exit == "ok" and record.started_at and record.ended_at:
                audio[stage] += duration
                work[stage] += max(record.ended_at - record.started_at, 0.001)
    return Estimate({stage: audio[stage] / work[stage] for stage in _STAGES if work[stage]})


def duration_of(state: Path, job: Job) -> float:
    """A file's length in seconds, once it was decoded; else 0."""
    try:
        return float(json.loads((state / JOBS / str(job.id) / PREPARED).read_bytes())["duration"])
    except (OSError, ValueError, KeyError, TypeError):
        return 0.0


def _finished(jobs: Iterable[Job]) -> list[Job]:
    return [job for job in jobs if job.next is Stage.DONE][:_LEARNT_FROM]
