"""The names that several rooms must agree on: files in the state folder, and ours elsewhere."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

# In the state folder
LEDGER = "ledger.db"
JOBS = "jobs"  # a folder for each job's artefacts
STATUS = "status.json"
SEARCH = "search.db"  # the index over all transcripts; made again from the outbox
VOICES = "voices.json"  # of people who have a name, if speakers.remember is set
VOLUMES = "volumes.json"
LOCK = "daemon.lock"
CANCELLATIONS = "cancel"
LENT = "lent"  # what is done here for other machines
CLUSTER = "cluster"  # our key, and the keys of the machines that lend themselves


@lru_cache(maxsize=1_024)
def job_folder(jobs: Path, job: int) -> Path:
    """In the folder `jobs`. Remembered: a Path keeps its text, and each is asked for many times."""
    return jobs / str(job)


@lru_cache(maxsize=4_096)
def job_file(folder: Path, name: str) -> Path:
    """In a job's folder. Remembered for the same reason."""
    return folder / name


# Beside recordings and results
TEMP_PREFIX = ".dropscribe-"  # of every file that is not whole yet; hidden, and never a recording
TIMING_SUFFIX = "timing.json"
REPORT_SUFFIX = ".error.json"  # beside a recording in failed/
