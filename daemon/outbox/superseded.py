"""A delivery of a recording's first part, withdrawn when the whole recording is delivered."""

from __future__ import annotations

from pathlib import Path

from daemon.domain.job import Job
from daemon.domain.suffixes import SUFFIXES, track_prefix
from daemon.files.state_folder import TIMING_SUFFIX, job_folder
from daemon.handoff import artefacts
from daemon.handoff.artefacts import InvalidArtefactError
from daemon.ledger.ledger import Ledger
from daemon.outbox.placing import JSON


def half_before(ledger: Ledger, jobs: Path, job: Job) -> Job | None:
    """The delivered job of the same file that was cut off and shorter, if its results are last."""
    earlier = ledger.last_delivered(job.source, before=job.id)
    if earlier is None or earlier.stem is None or earlier.identity.size >= job.identity.size:
        return None
    try:
        cut_off = artefacts.read_prepared(job_folder(jobs, earlier.id)).is_cut_off
    except InvalidArtefactError:
        return None
    return earlier if cut_off else None


def transcripts(jobs: Path, job: Job) -> int:
    """How many it was delivered with: one, or one for each of its tracks."""
    prepared = artefacts.read_prepared(job_folder(jobs, job.id))
    return max(len(prepared.lanes), 1) if prepared.lanes_are == "tracks" else 1


def withdraw(half: Job, outbox: Path, transcripts: int = 1) -> bool:
    """Remove its results; False, and nothing is removed, if anybody has changed one since."""
    suffixes = (JSON, TIMING_SUFFIX, *SUFFIXES.values())
    prefixes = ("", *(track_prefix(number) for number in range(2, transcripts + 1)))
    paths = [outbox / f"{half.stem}.{first}{rest}" for first in prefixes for rest in suffixes]
    there = [path for path in paths if path.is_file()]
    if any(path.stat().st_mtime > (half.finished_at or 0.0) for path in there):
        return False
    for path in there:  # the JSON first: what is left without it counts for nothing
        path.unlink(missing_ok=True)
    return True
