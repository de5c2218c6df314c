"""A scan of the inbox held against the ledger: a few statements, however many files there are."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from daemon.domain.job import Candidate, Identity, Job, Stage
from daemon.ledger.schema import IS_ACTIVE, JOB_COLUMNS, job_of

# In memory, and only for as long as the connection lives.
_SEEN = """
CREATE TEMP TABLE IF NOT EXISTS seen (
    source BLOB PRIMARY KEY, size INTEGER, mtime_ns INTEGER, ctime_ns INTEGER, inode INTEGER,
    refusal TEXT
) WITHOUT ROWID
"""
_FRESH = f"""
SELECT * FROM seen WHERE NOT EXISTS (
    SELECT 1 FROM jobs WHERE jobs.source = seen.source AND jobs.size = seen.size
    AND jobs.mtime_ns = seen.mtime_ns AND jobs.ctime_ns = seen.ctime_ns
    AND jobs.inode = seen.inode AND next != '{Stage.GONE}'
) ORDER BY source LIMIT ?
"""
_ABSENT = f"""
SELECT {JOB_COLUMNS} FROM jobs WHERE {IS_ACTIVE}
AND NOT EXISTS (SELECT 1 FROM seen WHERE seen.source = jobs.source) ORDER BY id LIMIT ?
"""

# A file that was seen: its path's bytes, the numbers of its Identity, and why it is refused. Most
# are known to the ledger, and are never made a Candidate.
Seen = tuple[bytes, int, int, int, int, str | None]


class LedgerScan:
    """What a scan saw, until the next one replaces it."""

    def __init__(self, db: sqlite3.Connection, seen: Iterable[Seen]) -> None:
        self._db = db
        db.execute("PRAGMA temp_store = MEMORY")
        db.execute(_SEEN)
        db.execute("DELETE FROM seen")
        self.add(seen)

    def add(self, seen: Iterable[Seen]) -> None:
        """What else it saw, before the first question."""
        self._db.execute("BEGIN")
        try:
            self._db.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?, ?, ?, ?, ?)", seen)
        finally:
            self._db.execute("COMMIT")

    def fresh(self, limit: int) -> list[Candidate]:
        """Files that were never admitted, or that changed since; at most `limit` of them."""
        rows = self._db.execute(_FRESH, (limit,)).fetchall()
        return [_candidate_of(row) for row in rows]

    def absent(self, folder: Path, limit: int) -> list[Job]:
        """Active jobs whose file was below `folder` and was not seen there; at most `limit`."""
        jobs = map(job_of, self._db.execute(_ABSENT, (limit,)).fetchall())
        return [job for job in jobs if job.source.is_relative_to(folder)]

    def at(self, path: Path) -> Candidate | None:
        """What was seen at `path`."""
        query = "SELECT * FROM seen WHERE source = ?"
        row = self._db.execute(query, (os.fsencode(path),)).fetchone()
        return _candidate_of(row) if row else None


def _candidate_of(row: Seen) -> Candidate:
    source, size, mtime, ctime, inode, refusal = row
    return Candidate(Path(os.fsdecode(source)), Identity(size, mtime, ctime, inode), refusal)
