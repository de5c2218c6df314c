"""index.html in the outbox: what is going on, and every recording, newest first, with search.

The page itself shows the newest; beside it, in a hidden folder, lie a page and a file of texts (for
the page's search) for every hundred transcripts. Only those whose transcripts changed are written
again, so that a delivery costs the same whether ten recordings are known or ten thousand.
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from urllib.parse import quote

from daemon.catalogue.database import PAGE, Database, Entry
from daemon.catalogue.queue_view import QueueView, is_busy
from daemon.domain.languages import ENGLISH_NAMES
from daemon.files.atomic import write_atomically
from daemon.rendering.clocks import clock
from daemon.rendering.templating import harmless_json, rendered

NAME = "index.html"
FOLDER = ".index"  # hidden: only index.html refers to it
_MARK = b'<meta name="generator" content="dropscribe index">'
_DAYS = 30


class ForeignIndexError(Exception):
    """The outbox has an index.html that is not ours: it is left alone."""


@dataclass(frozen=True, slots=True)
class _Row:
    """A transcript in the list: `facts` and `notes` are words for people."""

    name: str
    address: str
    facts: tuple[str, ...]
    notes: str
    opening: str
    day: str


@dataclass(frozen=True, slots=True)
class _Group:
    day: str
    entries: tuple[_Row, ...]


@dataclass(frozen=True, slots=True)
class _Day:
    """`height` in 1/100 of the day with the most minutes."""

    date: str
    minutes: int
    height: int


def write_index(database: Database, outbox: Path, queue: QueueView | None, now: float) -> None:
    """Write index.html, and what has changed of the rest. `now` is Unix time.

    Raises OSError, and ForeignIndexError where somebody else's index.html lies there.
    """
    _check_ours(outbox / NAME)
    if (outbox / FOLDER).is_symlink():  # whoever put it there decides where we would write
        raise ForeignIndexError(f"{outbox / FOLDER} is a link: nothing is written there")
    (outbox / FOLDER).mkdir(exist_ok=True)
    pages = database.pages()
    for page in database.changed_pages():
        entries = database.entries(page * PAGE, (page + 1) * PAGE)
        write_atomically(outbox / FOLDER / f"texts-{page}.js", _texts(database, outbox, entries))
        write_atomically(outbox / FOLDER / f"page-{page}.html", _page(database, outbox, page))
        database.written(page)
    newest = database.entries(limit=PAGE)
    days = _days(database.seconds_a_day(int((now - _DAYS * 86400) * 1e9)), now)
    content = rendered(
        "index",
        _data(pages, up="", folder=f"{FOLDER}/", busy=is_busy(queue)),
        scripts_beside=True,
        number=None,
        queue=queue,
        totals=_totals(database),
        days=days if newest else [],
        most=f"{max((day.minutes for day in days), default=0)} min",
        groups=_groups(_rows(newest, outbox, "", now)),
        pages=pages if len(pages) > 1 else [],
        folder=f"{FOLDER}/",
    )
    write_atomically(outbox / NAME, content)


def _check_ours(path: Path) -> None:
    try:
        with path.open("rb") as file:
            ours = _MARK in file.read(500)
    except FileNotFoundError:
        return
    if not ours:
        raise ForeignIndexError(f"{path} is not dropscribe's: it is left as it is")


def _page(database: Database, outbox: Path, page: int) -> bytes:
    """The recordings of one page. It has no day's name that would be out of date tomorrow."""
    pages = database.pages()
    entries = database.entries(page * PAGE, (page + 1) * PAGE)
    return rendered(
        "index",
        _data(pages, up="../", folder="", busy=False),
        scripts_beside=True,
        number=page,
        queue=None,
        totals=_totals(database),
        days=[],
        most="",
        groups=_groups(_rows(entries, outbox, "../", now=None)),
        pages=[page],
        folder="",
    )


def _data(pages: Sequence[int], up: str, folder: str, busy: bool) -> dict[str, object]:
    return {"shards": list(pages), "up": up, "folder": folder, "busy": busy}


def _texts(database: Database, outbox: Path, entries: Iterable[Entry]) -> bytes:
    """A script that hands over [name, address, [[paragraph, [[place, seconds], …]], …]]."""
    entries = list(entries)
    rows = [
        [
            entry.stem,
            _address(outbox, entry.stem, ""),
            [[passage.text, passage.starts] for passage in database.passages(entry.id)],
        ]
        for entry in entries
    ]
    page = entries[0].id // PAGE if entries else 0
    return f"dropscribeShard({page},{harmless_json(rows)});\n".encode()


def _address(outbox: Path, stem: str, up: str) -> str:
    """Of the page, or of the best there is; relative, and harmless whatever the name holds."""
    kinds = (kind for kind in ("html", "txt", "json") if (outbox / f"{stem}.{kind}").is_file())
    name = f"{stem}.{next(kinds, 'json')}"
    return f"{up}./{quote(os.fsencode(name))}"


def _totals(database: Database) -> str:
    count, seconds, words = database.totals()
    hours, minutes = divmod(round(seconds / 60), 60)
    length = f"{hours:,} h {minutes:02d} min" if hours else f"{minutes} min"
    return f"{count:,} {'recording' if count == 1 else 'recordings'} · {length} · {words:,} words"


def _rows(entries: Iterable[Entry], outbox: Path, up: str, now: float | None) -> list[_Row]:
    return [
        _Row(
            name=entry.stem,
            address=_address(outbox, entry.stem, up),
            facts=_facts(entry),
            notes=f"{entry.notes} to check" if entry.notes else "",
            opening=entry.opening,
            day=_day(entry.mtime_ns / 1e9, now),
        )
        for entry in entries
    ]


def _facts(entry: Entry) -> tuple[str, ...]:
    language = ENGLISH_NAMES.get(entry.language, entry.language).capitalize()
    speakers = f"{entry.speakers} speakers" if entry.speakers > 1 else ""
    facts = (clock(entry.duration), language, f"{entry.words:,} words", speakers)
    return tuple(fact for fact in facts if fact)


def _day(when: float, now: float | None) -> str:
    date = datetime.date.fromtimestamp(when)
    if now is not None:
        age = (datetime.date.fromtimestamp(now) - date).days
        if age in {0, 1}:
            return ("Today", "Yesterday")[age]
    return f"{date:%A}, {date.day} {date:%B %Y}"


def _groups(rows: Iterable[_Row]) -> list[_Group]:
    return [_Group(day, tuple(row)) for day, row in groupby(rows, key=lambda row: row.day)]


def _days(seconds: Iterable[tuple[int, float]], now: float) -> list[_Day]:
    """The minutes of audio delivered on each of the last days, today included."""
    today = datetime.date.fromtimestamp(now)
    dates = [today - datetime.timedelta(days=back) for back in reversed(range(_DAYS))]
    minutes = dict.fromkeys(dates, 0.0)
    for when, length in seconds:
        date = datetime.date.fromtimestamp(when)
        if date in minutes:
            minutes[date] += length / 60
    most = max(minutes.values()) or 1.0
    return [
        _Day(date.isoformat(), round(value), max(2, round(value / most * 100)))
        for date, value in minutes.items()
    ]
