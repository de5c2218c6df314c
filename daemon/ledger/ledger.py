"""The durable queue: SQLite rows that say what is next for each file, and every change to them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from daemon.domain.job import (
    TERMINAL,
    TRANSITIONS,
    Candidate,
    Failure,
    FailureKind,
    Job,
    Stage,
    StageRecord,
)
from daemon.ledger.inbox_scan import LedgerScan, Seen
from daemon.ledger.queries import LedgerQueries
from daemon.ledger.schema import (
    IS_TERMINAL,
    JOB_COLUMNS,
    LET_GO,
    LET_GO_OF_IDENTITY,
    MIGRATIONS,
    RECOVER,
    RELOCATE,
    SCHEMA,
    SCHEMA_VERSION,
    Delivered,
    any_of,
    identity_values,
    job_of,
)

# Nobody else writes it but a person with a tool of his own: the loop does not wait for that.
_LOCKED_SECONDS = 1.0


def _may_follow(following: Stage) -> str:
    """In SQL, that it may follow. To stay is no step: a file that changed again is read again."""
    before = {stage for stage, steps in TRANSITIONS.items() if following in steps}
    stays = set() if following in TERMINAL else {following}
    return any_of(sorted(before | stays))


_BEFORE = {stage: _may_follow(stage) for stage in Stage}


class CorruptLedgerError(Exception):
    """The database file is damaged, or another version of dropscribe wrote it."""


class InvalidTransitionError(Exception):
    """A step that TRANSITIONS does not name: a defect of ours, whatever the file is."""


class Ledger(LedgerQueries):
    """All jobs. The supervisor holds the one writing instance; others open it read-only."""

    def __init__(self, path: Path, read_only: bool = False) -> None:
        if read_only:
            uri = f"{path.absolute().as_uri()}?mode=ro"
            super().__init__(sqlite3.connect(uri, uri=True, isolation_level=None, timeout=5))
            return
        super().__init__(sqlite3.connect(path, isolation_level=None, timeout=_LOCKED_SECONDS))
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            self._db.close()
            if isinstance(error, sqlite3.OperationalError):
                raise  # disk full, I/O error, locked: not the file's fault
            raise CorruptLedgerError(str(error)) from error

    def _open(self) -> None:
        pragmas = ("journal_mode = WAL", "synchronous = FULL", "foreign_keys = ON")
        # Without these two, fsync on macOS stops at the drive's cache.
        for pragma in (*pragmas, "fullfsync = ON", "checkpoint_fullfsync = ON"):
            self._db.execute(f"PRAGMA {pragma}")
        self.is_new = self._version() == 0
        if self.is_new:
            self._db.executescript(f"BEGIN IMMEDIATE; {SCHEMA} COMMIT;")
        while (migration := MIGRATIONS.get(self._version())) is not None:
            following = self._version() + 1
            self._db.executescript(
                f"BEGIN IMMEDIATE; {migration} PRAGMA user_version = {following}; COMMIT;"
            )
        if self._version() != SCHEMA_VERSION:
            raise sqlite3.DatabaseError(f"schema version {self._version()} is not ours")
        checked = self._db.execute("PRAGMA quick_check(1)").fetchone()[0]
        if checked != "ok":
            raise sqlite3.DatabaseError(checked)
        self.active()  # rows that cannot be read would stop every turn of the loop

    def _version(self) -> int:
        return int(self._db.execute("PRAGMA user_version").fetchone()[0])

    # A statement outside of `_transaction` is one by itself, as durable.

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield self._db
        except BaseException:
            if self._db.in_transaction:  # SQLite may have ended it already
                self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def admit(self, candidates: Iterable[Candidate], now: float) -> list[Job]:
        """Add the candidates that are new; return their jobs. Known identities change nothing."""
        with self._transaction() as db:
            return [job for candidate in candidates if (job := _admit(db, candidate, now))]

    def compare(self, seen: Iterable[Seen] = ()) -> LedgerScan:
        """Hold what a scan saw against the jobs; more of that may be added."""
        return LedgerScan(self._db, seen)

    def recover(self, deliveries: Iterable[Delivered], now: float) -> int:
        """Enter finished jobs that an earlier ledger knew; return how many."""
        rows = [one.values(number, now) for number, one in enumerate(deliveries, 1)]
        with self._transaction() as db:
            db.executemany(RECOVER, rows)
        return len(rows)

    def renew(self, job: int, candidate: Candidate) -> None:
        """The file behind an active job moved or changed: start over with what is there now."""
        with self._transaction() as db:
            _relocate(db, job, candidate)
            _move(db, job, Stage.PREPARE)
            db.execute("DELETE FROM stages WHERE job = ? AND stage = ?", (job, Stage.PREPARE))

    def relocate(self, job: int, candidate: Candidate) -> None:
        """The file behind a job has another name now; its bytes are the same."""
        with self._transaction() as db:
            _relocate(db, job, candidate)

    def set_digest(self, job: int, sha256: str) -> bool:
        """Note which bytes were read. True if they are new: earlier stages' results are void."""
        with self._transaction() as db:
            return _set_digest(db, job, sha256)

    def begin(self, job: int, stage: Stage, now: float) -> None:
        """Count a start, committed before the stage begins."""
        self._db.execute(
            "INSERT INTO stages (job, stage, starts, started_at) VALUES (?, ?, 1, ?)"
            " ON CONFLICT DO UPDATE SET starts = starts + 1, started_at = excluded.started_at,"
            " exit = ''",
            (job, stage, now),
        )

    def restart_clock(self, job: int, stage: Stage, now: float) -> None:
        """The stage was started early and waited; its work begins now."""
        self._db.execute(
            "UPDATE stages SET started_at = ? WHERE job = ? AND stage = ?", (now, job, stage)
        )

    def uncount_start(self, job: int, stage: Stage) -> None:
        """Uncount a start that we ended ourselves: a deliberate stop, a fault of the machine."""
        self._db.execute(
            "UPDATE stages SET starts = starts - 1 WHERE job = ? AND stage = ?", (job, stage)
        )

    def end(
        self, job: int, record: StageRecord, following: Stage | None, sha256: str | None = None
    ) -> None:
        """Store how a stage ended and, in the same commit, what is next (None: no change).

        `sha256`: of the bytes that it read, noted as by `set_digest`.
        Raises InvalidTransitionError, storing nothing.
        """
        with self._transaction() as db:
            if sha256 is not None:
                _set_digest(db, job, sha256)
            db.execute(
                "UPDATE stages SET failures = failures + ?, ended_at = ?, exit = ?, kind = ?,"
                " reason = ?, cpu_seconds = cpu_seconds + ?,"
                " peak_rss_bytes = MAX(peak_rss_bytes, ?) WHERE job = ? AND stage = ?",
                (
                    int(record.exit != "ok"),
                    record.ended_at,
                    record.exit,
                    record.kind or "",
                    record.reason,
                    record.cpu_seconds,
                    record.peak_rss_bytes,
                    job,
                    record.stage,
                ),
            )
            if following is not None:
                _move(db, job, following, record.ended_at)

    def interrupt(self, job: int, record: StageRecord) -> None:
        """The stage's end was not seen, for that reason: its start counts as an interruption."""
        self._db.execute(
            "UPDATE stages SET ended_at = ?, exit = ?, kind = ?, reason = ?"
            " WHERE job = ? AND stage = ?",
            (record.ended_at, record.exit, record.kind or "", record.reason, job, record.stage),
        )

    def move(self, job: int, following: Stage, now: float | None = None) -> None:
        """What is next changes; `now` (Unix time) is noted where nothing is next any more.

        Raises InvalidTransitionError for a step that is not in TRANSITIONS, and changes nothing.
        """
        with self._transaction() as db:
            _move(db, job, following, now)

    def finish(self, job: int, following: Stage, now: float, has_left: bool) -> None:
        """As `move`; `has_left`: the recording is not in the inbox any more.

        A file that comes with its identity is another recording then, or this one once more.
        """
        with self._transaction() as db:
            _move(db, job, following, now, has_left)

    def mark_failed(self, job: int, failure: Failure) -> None:
        """Decide that this job fails; its source still has to be quarantined."""
        with self._transaction() as db:
            _move(db, job, Stage.QUARANTINE)
            db.execute(
                "UPDATE jobs SET failed_stage = ?, failure_kind = ?, failure = ? WHERE id = ?",
                (failure.stage, failure.kind, failure.message, job),
            )

    def forget(self, jobs: Iterable[int]) -> None:
        """Finished jobs leave the history. No number is ever given to another job."""
        numbers = [(job,) for job in jobs]
        with self._transaction() as db:
            db.executemany(
                "DELETE FROM stages WHERE job IN"
                f" (SELECT id FROM jobs WHERE id = ? AND {IS_TERMINAL})",
                numbers,
            )
            db.executemany(f"DELETE FROM jobs WHERE id = ? AND {IS_TERMINAL}", numbers)

    def reserve(self, job: int, stem: str | None) -> None:
        """Bind the outputs' name to the job, before the first output appears."""
        self._db.execute("UPDATE jobs SET stem = ? WHERE id = ?", (stem, job))


def _move(
    db: sqlite3.Connection,
    job: int,
    following: Stage,
    now: float | None = None,
    has_left: bool = False,
) -> None:
    finished = now if following in TERMINAL else None
    moved = db.execute(
        f"UPDATE jobs SET next = ?, finished_at = ?{LET_GO if has_left else ''}"
        f" WHERE id = ? AND {_BEFORE[following]}",
        (following, finished, job),
    )
    if moved.rowcount != 1:
        row = db.execute("SELECT next FROM jobs WHERE id = ?", (job,)).fetchone()
        raise InvalidTransitionError(f"job {job} cannot go from {row and row[0]} to {following}")


def _set_digest(db: sqlite3.Connection, job: int, sha256: str) -> bool:
    changed = db.execute(
        "UPDATE jobs SET sha256 = ? WHERE id = ? AND sha256 IS NOT ?", (sha256, job, sha256)
    )
    if changed.rowcount <= 0:
        return False
    db.execute("DELETE FROM stages WHERE job = ? AND stage != ?", (job, Stage.PREPARE))
    return True


def _relocate(db: sqlite3.Connection, job: int, candidate: Candidate) -> None:
    values = identity_values(candidate)
    db.execute(LET_GO_OF_IDENTITY, (*values, job))
    db.execute(RELOCATE, (*values, job))


def _admit(db: sqlite3.Connection, candidate: Candidate, now: float) -> Job | None:
    refused = candidate.refusal is not None
    with closing(
        db.execute(
            "INSERT INTO jobs (source, size, mtime_ns, ctime_ns, inode, next, admitted_at,"
            " failed_stage, failure_kind, failure) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (source, size, mtime_ns, ctime_ns, inode) DO UPDATE"
            f" SET next = excluded.next, finished_at = NULL WHERE next = '{Stage.GONE}'"
            f" ON CONFLICT DO NOTHING RETURNING {JOB_COLUMNS}",
            (
                *identity_values(candidate),
                Stage.QUARANTINE if refused else Stage.PREPARE,
                now,
                Stage.PREPARE if refused else None,
                FailureKind.BAD_INPUT if refused else None,
                candidate.refusal,
            ),
        )
    ) as cursor:
        row = cursor.fetchone()
    return job_of(row) if row else None
