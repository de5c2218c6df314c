"""The search index: one SQLite file with a row for each transcript and FTS5 over its passages.

A passage is a paragraph. The numbers of a transcript's passages begin at its id times `_ROOM`, so
that they can be found without an index. `starts` says when each of its sentences begins.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from daemon.catalogue.words import full_text_query, readable, searchable

_VERSION = 1
_ROOM = 1 << 20  # passages a transcript may have
PAGE = 100  # transcripts on a page of the index, by their ids
_OPEN, _CLOSE = "\x02", "\x03"  # around a hit; no transcript holds control characters
_CONTEXT = 60  # characters shown before and after a hit
_SCHEMA = f"""
CREATE TABLE transcripts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    stem TEXT NOT NULL UNIQUE,
    mtime_ns INTEGER NOT NULL, size INTEGER NOT NULL,
    source TEXT NOT NULL, recorded_at TEXT NOT NULL, language TEXT NOT NULL,
    duration REAL NOT NULL, words INTEGER NOT NULL, speakers INTEGER NOT NULL,
    notes INTEGER NOT NULL, opening TEXT NOT NULL
);
CREATE VIRTUAL TABLE passages USING fts5 (
    text, starts UNINDEXED,
    tokenize = "unicode61 remove_diacritics 2 categories 'L* N* M* Co'"
);
CREATE TABLE changed (page INTEGER PRIMARY KEY); -- pages of the index that are out of date
PRAGMA user_version = {_VERSION};
"""


@dataclass(frozen=True, slots=True)
class Passage:
    """A paragraph: its text, and (place in the text, seconds) of each sentence's beginning."""

    text: str
    starts: Sequence[tuple[int, float]]


@dataclass(frozen=True, slots=True)
class Entry:
    """A transcript in the outbox. `mtime_ns` and `size` are NAME.json's; `notes` counts warnings
    and spots worth a listen; `opening` is how its text begins."""

    stem: str
    mtime_ns: int
    size: int
    source: str
    recorded_at: str
    language: str
    duration: float
    words: int
    speakers: int
    notes: int
    opening: str
    id: int = 0


_COLUMNS = (
    "stem, mtime_ns, size, source, recorded_at, language, duration, words, speakers, notes, opening"
)


@dataclass(frozen=True, slots=True)
class Hit:
    """Where words were found: `before`, `found` and `after` are the text around them."""

    stem: str
    source: str
    recorded_at: str
    start: float
    before: str
    found: str
    after: str


class Database:
    """Opens the file, making it anew if it is damaged or of another version."""

    def __init__(self, path: Path) -> None:
        self._db = _connected(path)
        try:
            self._open()
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise  # locked, or the disk is full
            self._db.close()
            for name in (path.name, f"{path.name}-wal", f"{path.name}-shm"):
                path.with_name(name).unlink(missing_ok=True)
            self._db = _connected(path)
            self._open()

    def _open(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        (version,) = self._db.execute("PRAGMA user_version").fetchone()
        if version not in {0, _VERSION}:
            raise sqlite3.DatabaseError("another version's")
        if version == 0:
            self._db.executescript(f"BEGIN IMMEDIATE; {_SCHEMA} COMMIT;")

    def close(self) -> None:
        self._db.close()

    def known(self) -> dict[str, tuple[int, int]]:
        """For each transcript's stem, its JSON's modification time (ns) and size."""
        rows = self._db.execute("SELECT stem, mtime_ns, size FROM transcripts")
        return {stem: (mtime_ns, size) for stem, mtime_ns, size in rows}

    def put(self, items: Iterable[tuple[Entry, Sequence[Passage]]], gone: Iterable[str]) -> None:
        """Store these transcripts, in place of what was known of them, and forget `gone`."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            for stem in gone:
                self._forget(stem)
            for entry, passages in items:
                self._put(entry, passages)
            self._db.execute("COMMIT")
        except BaseException:
            self._db.execute("ROLLBACK")
            raise

    def _put(self, entry: Entry, passages: Sequence[Passage]) -> None:
        self._drop_passages(entry.stem)
        values = [getattr(entry, name.strip()) for name in _COLUMNS.split(",")]
        marks = ", ".join("?" * len(values))
        updates = ", ".join(f"{name} = excluded.{name}" for name in _COLUMNS.split(", "))
        (number,) = self._db.execute(
            f"INSERT INTO transcripts ({_COLUMNS}) VALUES ({marks})"
            f" ON CONFLICT (stem) DO UPDATE SET {updates} RETURNING id",
            values,
        ).fetchone()
        rows = [
            (number * _ROOM + at, searchable(passage.text), json.dumps(passage.starts))
            for at, passage in enumerate(passages[:_ROOM])
        ]
        self._db.executemany("INSERT INTO passages (rowid, text, starts) VALUES (?, ?, ?)", rows)
        self._mark(number)

    def _mark(self, transcript: int) -> None:
        self._db.execute("INSERT OR IGNORE INTO changed VALUES (?)", (transcript // PAGE,))

    def _forget(self, stem: str) -> None:
        self._drop_passages(stem)
        self._db.execute("DELETE FROM transcripts WHERE stem = ?", (stem,))

    def _drop_passages(self, stem: str) -> None:
        row = self._db.execute("SELECT id FROM transcripts WHERE stem = ?", (stem,)).fetchone()
        if row:
            self._mark(row[0])
            first = row[0] * _ROOM
            self._db.execute(
                "DELETE FROM passages WHERE rowid >= ? AND rowid < ?", (first, first + _ROOM)
            )

    def search(self, words: str, limit: int) -> list[Hit]:
        """Where all of `words` stand in one paragraph, the newest transcripts first."""
        query = full_text_query(words)
        if not query:
            return []
        rows = self._db.execute(
            "SELECT rowid, highlight(passages, 0, ?, ?), starts FROM passages"
            " WHERE passages MATCH ? ORDER BY rowid DESC LIMIT ?",
            (_OPEN, _CLOSE, query, limit),
        ).fetchall()
        return [self._hit(number // _ROOM, marked, starts) for number, marked, starts in rows]

    def _hit(self, transcript: int, marked: str, starts: str) -> Hit:
        stem, source, recorded_at = self._db.execute(
            "SELECT stem, source, recorded_at FROM transcripts WHERE id = ?", (transcript,)
        ).fetchone()
        head, _, rest = readable(marked).partition(_OPEN)
        found, _, tail = rest.partition(_CLOSE)
        tail = tail.replace(_OPEN, "").replace(_CLOSE, "")
        begun = [start for place, start in json.loads(starts) if place <= len(head)]
        before = head[-_CONTEXT:] if len(head) <= _CONTEXT else "…" + head[-_CONTEXT:]
        after = tail if len(tail) <= _CONTEXT else tail[:_CONTEXT] + "…"
        return Hit(stem, source, recorded_at, begun[-1] if begun else 0.0, before, found, after)

    def entries(self, first: int = 0, last: int = 1 << 40, limit: int = -1) -> list[Entry]:
        """The transcripts with these ids (`last` excluded), the newest first."""
        rows = self._db.execute(
            f"SELECT {_COLUMNS}, id FROM transcripts WHERE id >= ? AND id < ?"
            " ORDER BY id DESC LIMIT ?",
            (first, last, limit),
        )
        return [Entry(*row) for row in rows]

    def passages(self, transcript: int) -> list[Passage]:
        """The text of a transcript, as it can be shown."""
        first = transcript * _ROOM
        rows = self._db.execute(
            "SELECT text, starts FROM passages WHERE rowid >= ? AND rowid < ? ORDER BY rowid",
            (first, first + _ROOM),
        )
        return [Passage(readable(text), json.loads(starts)) for text, starts in rows]

    def changed_pages(self) -> list[int]:
        """The pages whose transcripts have changed since `written` was told of them."""
        return [page for (page,) in self._db.execute("SELECT page FROM changed ORDER BY page DESC")]

    def written(self, page: int) -> None:
        self._db.execute("DELETE FROM changed WHERE page = ?", (page,))

    def pages(self) -> list[int]:
        """The pages that have a transcript, the newest first."""
        rows = self._db.execute("SELECT DISTINCT id / ? FROM transcripts ORDER BY 1 DESC", (PAGE,))
        return [page for (page,) in rows]

    def totals(self) -> tuple[int, float, int]:
        """Transcripts, seconds of audio, words."""
        count, seconds, words = self._db.execute(
            "SELECT COUNT(*), COALESCE(SUM(duration), 0), COALESCE(SUM(words), 0) FROM transcripts"
        ).fetchone()
        return int(count), float(seconds), int(words)

    def seconds_a_day(self, since_ns: int) -> list[tuple[int, float]]:
        """(when a transcript was delivered in Unix seconds, its seconds of audio) since then."""
        rows = self._db.execute(
            "SELECT mtime_ns / 1000000000, duration FROM transcripts WHERE mtime_ns >= ?",
            (since_ns,),
        )
        return [(int(when), float(seconds)) for when, seconds in rows]


def _connected(path: Path) -> sqlite3.Connection:
    return sqlite3.connect(path, isolation_level=None, timeout=30)  # another update may be at it
