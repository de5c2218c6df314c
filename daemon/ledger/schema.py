"""The ledger's tables, and the one place where a row becomes an object."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from daemon.domain.job import (
    DECODED_A_SECOND,
    TERMINAL,
    Candidate,
    Failure,
    FailureKind,
    Identity,
    Job,
    Stage,
    StageRecord,
)

SCHEMA_VERSION = 6


def any_of(stages: Iterable[Stage]) -> str:
    """In SQL, that one of these is next.

    For IN with more than two values, SQLite makes a table of them each time. Where an index is of
    such rows alone, that was nine tenths of what it cost to move a job on.
    """
    return "(" + " OR ".join(f"next = '{stage}'" for stage in stages) + ")"


IS_TERMINAL = any_of(sorted(TERMINAL))
# The same, told by what is active: so that an index on `next` finds these few among a million.
IS_ACTIVE = any_of(stage for stage in Stage if stage not in TERMINAL)
_DIGESTS = "CREATE INDEX IF NOT EXISTS jobs_by_digest ON jobs (sha256) WHERE sha256 IS NOT NULL;"
# When a job would be done if its work had begun at once, in Unix seconds.
DUE = f"(admitted_at + size / {DECODED_A_SECOND}.0)"
_BY_DUE = f"CREATE INDEX IF NOT EXISTS jobs_by_due ON jobs (next, {DUE}) WHERE {IS_ACTIVE};"
# The few names that are reserved, among however many files that wait.
_STEMS = f"""CREATE INDEX IF NOT EXISTS jobs_by_stem ON jobs (stem)
    WHERE stem IS NOT NULL AND {IS_ACTIVE};"""
_PATHS = (
    f"CREATE UNIQUE INDEX IF NOT EXISTS one_active_job_a_path ON jobs (source) WHERE {IS_ACTIVE};"
)

SCHEMA = f"""
CREATE TABLE jobs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    source BLOB NOT NULL,          -- the path's bytes: names need not be valid UTF-8
    size INTEGER NOT NULL, mtime_ns INTEGER NOT NULL, ctime_ns INTEGER NOT NULL,
    inode INTEGER NOT NULL,
    next TEXT NOT NULL,
    admitted_at REAL NOT NULL, finished_at REAL,
    stem TEXT,
    sha256 TEXT,
    failed_stage TEXT, failure_kind TEXT, failure TEXT,
    UNIQUE (source, size, mtime_ns, ctime_ns, inode)
);
{_PATHS}
CREATE INDEX jobs_by_next ON jobs (next);
{_DIGESTS}
{_BY_DUE}
{_STEMS}
CREATE TABLE stages (
    job INTEGER NOT NULL REFERENCES jobs (id),
    stage TEXT NOT NULL,
    starts INTEGER NOT NULL DEFAULT 0,
    failures INTEGER NOT NULL DEFAULT 0,
    started_at REAL, ended_at REAL,
    cpu_seconds REAL NOT NULL DEFAULT 0, peak_rss_bytes INTEGER NOT NULL DEFAULT 0,
    exit TEXT NOT NULL DEFAULT '', reason TEXT NOT NULL DEFAULT '',
    kind TEXT NOT NULL DEFAULT '',  -- the last failure's FailureKind
    PRIMARY KEY (job, stage)
) WITHOUT ROWID;
PRAGMA user_version = {SCHEMA_VERSION};
"""

# How a database of an earlier version becomes one of the next: by the version it has.
MIGRATIONS = {
    1: "ALTER TABLE stages ADD COLUMN kind TEXT NOT NULL DEFAULT '';",
    2: _DIGESTS,
    3: _BY_DUE,
    4: _STEMS,
    5: f"""DROP INDEX IF EXISTS jobs_by_due; {_BY_DUE}
        DROP INDEX IF EXISTS jobs_by_stem; {_STEMS}
        DROP INDEX IF EXISTS one_active_job_a_path; {_PATHS}""",
}

JOB_COLUMNS = (
    "id, source, size, mtime_ns, ctime_ns, inode, next, admitted_at, finished_at, stem,"
    " failed_stage, failure_kind, failure"
)

RECORD_COLUMNS = (
    "starts, failures, started_at, ended_at, cpu_seconds, peak_rss_bytes, exit, kind, reason"
)

RELOCATE = (
    "UPDATE jobs SET source = ?, size = ?, mtime_ns = ?, ctime_ns = ?, inode = ? WHERE id = ?"
)
# A finished job gives its file's identity up: on a volume that keeps no change times, the same file
# may come back with it. No two jobs share the change time that stands there then.
LET_GO = ", ctime_ns = -id"
LET_GO_OF_IDENTITY = f"""
UPDATE jobs SET ctime_ns = -id WHERE source = ? AND size = ? AND mtime_ns = ? AND ctime_ns = ?
    AND inode = ? AND id != ? AND {IS_TERMINAL}
"""
# A delivery of an earlier ledger. No file has its identity: the inode is negative.
RECOVER = f"""
INSERT INTO jobs (source, size, mtime_ns, ctime_ns, inode, next, admitted_at, finished_at, stem,
    sha256) VALUES (?, ?, 0, 0, ?, '{Stage.DONE}', ?, ?, ?, ?)
"""


class DamagedRowError(sqlite3.DatabaseError):
    """A row holds what no version of dropscribe has written."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """A delivery that lies in the outbox. `size` is the recording's, in bytes."""

    source: Path
    size: int
    sha256: str
    stem: str

    def values(self, number: int, now: float) -> tuple[bytes, int, int, float, float, str, str]:
        """The row for RECOVER; `number` (from 1) sets it apart from the others."""
        return os.fsencode(self.source), self.size, -number, now, now, self.stem, self.sha256


def identity_values(candidate: Candidate) -> tuple[bytes, int, int, int, int]:
    identity = candidate.identity
    return (
        os.fsencode(candidate.path),
        identity.size,
        identity.mtime_ns,
        identity.ctime_ns,
        identity.inode,
    )


def job_of(row: tuple[object, ...]) -> Job:
    """Raises DamagedRowError."""
    try:
        return _job_of(row)
    except ValueError as error:
        raise DamagedRowError(f"a row of the ledger is damaged: {error}") from error


@lru_cache(maxsize=4_096)
def _job_of(row: tuple[object, ...]) -> Job:
    """The loop reads the rows that wait in each turn; most are as they were in the last."""
    (number, source, size, mtime, ctime, inode, following, admitted, finished, stem, *failed) = row
    stage, kind, message = failed
    failure = Failure(Stage(str(stage)), FailureKind(str(kind)), str(message)) if kind else None
    return Job(
        id=_int(number),
        source=_path_of(bytes(source) if isinstance(source, memoryview) else _blob(source)),
        identity=Identity(_int(size), _int(mtime), _int(ctime), _int(inode)),
        next=Stage(str(following)),
        admitted_at=float(str(admitted)),
        finished_at=float(str(finished)) if finished is not None else None,
        stem=str(stem) if stem is not None else None,
        failure=failure,
    )


@lru_cache(maxsize=4_096)
def _path_of(source: bytes) -> Path:
    """A Path remembers its text, and a job's row changes with each stage."""
    return Path(os.fsdecode(source))


def record_of(stage: Stage, row: tuple[Any, ...]) -> StageRecord:
    starts, failures, started, ended, cpu, peak, exit_, kind, reason = row
    failure = FailureKind(kind) if kind else None
    return StageRecord(stage, starts, failures, started, ended, cpu, peak, exit_, failure, reason)


def _int(value: object) -> int:
    if not isinstance(value, int):
        raise DamagedRowError(f"the ledger holds {value!r} where a number belongs")
    return value


def _blob(value: object) -> bytes:
    if not isinstance(value, bytes):
        raise DamagedRowError(f"the ledger holds {value!r} where a path belongs")
    return value
