"""What the ledger can be asked. Reading changes nothing and takes no lock for long."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

from daemon.domain.job import Job, Stage, StageRecord
from daemon.ledger.schema import (
    DUE,
    IS_ACTIVE,
    IS_TERMINAL,
    JOB_COLUMNS,
    RECORD_COLUMNS,
    DamagedRowError,
    job_of,
    record_of,
)

# Rows read at a time, so that the queue may change while it is walked through.
_PAGE = 100


class LedgerQueries:
    """Questions to a ledger that is open already.

    A stage is part of a question's text: as a parameter, it would have SQLite plan the question
    anew each time, since there are indices of the rows at some stages alone.
    """

    def __init__(self, db: sqlite3.Connection) -> None:
        self._db = db

    def close(self) -> None:
        self._db.close()

    def job(self, job: int) -> Job | None:
        row = self._db.execute(f"SELECT {JOB_COLUMNS} FROM jobs WHERE id = ?", (job,)).fetchone()
        return job_of(row) if row else None

    def active(self) -> list[Job]:
        rows = self._db.execute(f"SELECT {JOB_COLUMNS} FROM jobs WHERE {IS_ACTIVE} ORDER BY id")
        return [job_of(row) for row in rows]

    def anything_active(self) -> bool:
        (found,) = self._db.execute(
            f"SELECT EXISTS (SELECT 1 FROM jobs WHERE {IS_ACTIVE})"
        ).fetchone()
        return bool(found)

    def active_at(self, source: Path) -> Job | None:
        """The job that is under way for what lies at this path."""
        row = self._db.execute(
            f"SELECT {JOB_COLUMNS} FROM jobs WHERE source = ? AND {IS_ACTIVE}",
            (os.fsencode(source),),
        ).fetchone()
        return job_of(row) if row else None

    def waiting(self, stage: Stage, by_due: bool = False) -> Iterator[int]:
        """The jobs for which `stage` is next: those never begun first, so none delays another.

        Those come as they were admitted, or, `by_due`, by that time plus the estimated work.
        """
        key, after = DUE if by_due else "id", (-1.0, 0)
        begun: list[tuple[int, int]] = []
        while rows := self._next_at(stage, key, after):
            for job, starts, _ in rows:
                if starts:
                    begun.append((starts, job))
                else:
                    yield job
            if len(rows) < _PAGE:
                break
            after = rows[-1][2], rows[-1][0]
        yield from (job for _, job in sorted(begun))

    def _next_at(
        self, stage: Stage, key: str, after: tuple[float, int]
    ) -> list[tuple[int, int | None, float]]:
        """Their numbers, the stage's starts, and the SQL term `key`, in whose order they come."""
        return self._db.execute(
            f"SELECT id, (SELECT starts FROM stages WHERE job = id AND stage = next), {key}"
            f" FROM jobs WHERE next = '{stage}' AND ({key}, id) > (?, ?)"
            f" ORDER BY {key}, id LIMIT {_PAGE}",
            after,
        ).fetchall()

    def recent(self, limit: int) -> list[Job]:
        """The newest jobs first."""
        return list(islice(self.newest(), limit))

    def newest(self) -> Iterator[Job]:
        """Every job, the newest first; whoever has found what he sought need not take them all."""
        last = 2**62
        query = f"SELECT {JOB_COLUMNS} FROM jobs WHERE id < ? ORDER BY id DESC LIMIT {_PAGE}"
        while rows := self._db.execute(query, (last,)).fetchall():
            yield from map(job_of, rows)
            last = int(rows[-1][0])

    def oldest(self, after: int, limit: int) -> list[Job]:
        """The oldest jobs with a higher id than `after`."""
        rows = self._db.execute(
            f"SELECT {JOB_COLUMNS} FROM jobs WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
        )
        return [job_of(row) for row in rows]

    def latest(self, stage: Stage, limit: int) -> list[Job]:
        """The newest jobs for which `stage` is next."""
        rows = self._db.execute(
            f"SELECT {JOB_COLUMNS} FROM jobs WHERE next = '{stage}' ORDER BY id DESC LIMIT ?",
            (limit,),
        )
        return [job_of(row) for row in rows]

    def counts(self) -> dict[Stage, int]:
        rows = self._db.execute("SELECT next, COUNT(*) FROM jobs GROUP BY next")
        try:
            return {Stage(stage): count for stage, count in rows}
        except ValueError as error:
            raise DamagedRowError(str(error)) from error

    def record(self, job: int, stage: Stage) -> StageRecord:
        row = self._db.execute(
            f"SELECT {RECORD_COLUMNS} FROM stages WHERE job = ? AND stage = ?", (job, stage)
        ).fetchone()
        return record_of(stage, row) if row else StageRecord(stage)

    def records(self, job: int, stages: Iterable[Stage]) -> list[StageRecord]:
        """As `record`, for several stages at once."""
        rows = self._db.execute(f"SELECT stage, {RECORD_COLUMNS} FROM stages WHERE job = ?", (job,))
        found = {stage: row for stage, *row in rows}
        return [
            record_of(stage, tuple(found[stage])) if stage in found else StageRecord(stage)
            for stage in stages
        ]

    def digest(self, job: int) -> str | None:
        """SHA-256 of the bytes that were last read for this job."""
        row = self._db.execute("SELECT sha256 FROM jobs WHERE id = ?", (job,)).fetchone()
        return row[0] if row else None

    def delivered(self, source: Path, sha256: str) -> Job | None:
        """The finished job that already delivered these very bytes from this very path."""
        row = self._db.execute(
            f"SELECT {JOB_COLUMNS} FROM jobs WHERE source = ? AND sha256 = ? AND"
            f" +next = '{Stage.DONE}' ORDER BY stem IS NULL LIMIT 1",
            (os.fsencode(source), sha256),
        ).fetchone()
        return job_of(row) if row else None

    def is_latest(self, job: Job) -> bool:
        """Whether no later job has been of that path."""
        (found,) = self._db.execute(
            "SELECT EXISTS (SELECT 1 FROM jobs WHERE source = ? AND id > ?)",
            (os.fsencode(job.source), job.id),
        ).fetchone()
        return not found

    def last_delivered(self, source: Path, before: int) -> Job | None:
        """The latest delivered job of this path, of those with a smaller number than `before`."""
        row = self._db.execute(
            f"SELECT {JOB_COLUMNS} FROM jobs WHERE source = ? AND id < ? AND"
            f" +next = '{Stage.DONE}' AND stem IS NOT NULL ORDER BY id DESC LIMIT 1",
            (os.fsencode(source), before),
        ).fetchone()
        return job_of(row) if row else None

    def delivered_content(self, sha256: str) -> Job | None:
        """The latest delivered job of these very bytes, whatever their name was."""
        row = self._db.execute(
            f"SELECT {JOB_COLUMNS} FROM jobs WHERE sha256 = ? AND +next = '{Stage.DONE}'"
            " AND stem IS NOT NULL ORDER BY id DESC LIMIT 1",
            (sha256,),
        ).fetchone()
        return job_of(row) if row else None

    def unfinished_reading(self, sha256: str, besides: int) -> list[Job]:
        """Jobs that read these very bytes, and are not delivered or given up."""
        rows = self._db.execute(
            f"SELECT {JOB_COLUMNS} FROM jobs WHERE sha256 = ? AND id != ?"
            f" AND NOT {IS_TERMINAL} AND +next != '{Stage.QUARANTINE}' ORDER BY id",
            (sha256, besides),
        )
        return [job_of(row) for row in rows]

    def unread_sizes(self) -> set[int]:
        """Those of the files that are to be read next, in bytes."""
        rows = self._db.execute(f"SELECT size FROM jobs WHERE next = '{Stage.PREPARE}'")
        return {size for (size,) in rows}

    def recovered(self, source: Path, sha256: str) -> str | None:
        """The stem under which an earlier ledger's delivery of these bytes lies in the outbox."""
        row = self._db.execute(
            "SELECT stem FROM jobs WHERE source = ? AND sha256 = ? AND inode < 0",
            (os.fsencode(source), sha256),
        ).fetchone()
        return row[0] if row else None

    def reserved_stems(self, besides: int) -> set[str]:
        rows = self._db.execute(
            "SELECT stem FROM jobs INDEXED BY jobs_by_stem"
            f" WHERE stem IS NOT NULL AND id != ? AND {IS_ACTIVE}",
            (besides,),
        )
        return {stem for (stem,) in rows}
