"""`dropscribe search WORDS`: where something was said, in all transcripts."""

from __future__ import annotations

import os
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import click

from daemon.catalogue.database import Database, Hit
from daemon.catalogue.sync import sync
from daemon.commands.command_line import command
from daemon.commands.json_output import print_line
from daemon.config import file as config_file
from daemon.config.settings import Paths
from daemon.domain.names import printable
from daemon.errors import FAILED, OK, DropscribeError, UsageError
from daemon.files.state_folder import SEARCH
from daemon.rendering.clocks import clock

_MANY = 1_000  # transcripts: that takes seconds
_BOLD = "\x1b[1m{}\x1b[0m"


@command(
    examples=[
        ("dropscribe search budget Vienna", "both words in one paragraph"),
        ("dropscribe search '\"next train\"' -n 5", "these words in a row, the newest five"),
        ("dropscribe search migrat* --open", "a beginning; opens the newest page at the spot"),
    ]
)
@click.argument("words", nargs=-1, required=True)
@click.option("-n", "--number", default=20, show_default=True, type=click.IntRange(min=1))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
@click.option("--open", "open_page", is_flag=True, help="Open the first hit's page at the spot.")
@click.option("--rebuild", is_flag=True, help="Make the search index anew from the outbox.")
def search(
    config_path: Path,
    words: Sequence[str],
    number: int,
    as_json: bool,
    open_page: bool,
    rebuild: bool,
) -> int:
    """Find where something was said, in all transcripts, whatever their language."""
    paths = config_file.load(config_path).paths
    sought = " ".join(words)
    if not any(char.isalnum() for char in sought):
        raise UsageError(f"{printable(sought)}: there is no word in this")
    hits = _found(paths, sought, number, rebuild)
    for hit in hits:
        if as_json:
            print_line(_facts(hit, paths.outbox, sought))
        else:
            print(_line(hit))
    if not hits and not as_json:
        print(f"{printable(sought)}: nobody said this in {_many(paths)}")
    if hits and open_page:
        _open(_address(hits[0], paths.outbox, sought))
    return OK if hits else FAILED


def _found(paths: Paths, sought: str, number: int, rebuild: bool) -> list[Hit]:
    path = paths.state / SEARCH
    paths.state.mkdir(parents=True, exist_ok=True)
    if rebuild:
        for name in (SEARCH, f"{SEARCH}-wal", f"{SEARCH}-shm"):
            (paths.state / name).unlink(missing_ok=True)
    try:
        with closing(Database(path)) as database:
            sync(database, paths.outbox, _tell_progress)
            return database.search(sought, number)
    except FileNotFoundError:
        raise DropscribeError(f"there is no outbox {paths.outbox} yet") from None
    except sqlite3.OperationalError as error:
        raise DropscribeError(f"the search index {path} cannot be used: {error}") from error


def _tell_progress(read: int, of: int) -> None:
    """For a person who waits; a few new transcripts are read before that can be seen."""
    if of < _MANY:
        return
    ended = read == of
    if sys.stderr.isatty():
        click.echo(f"\rreading transcripts: {read:,} of {of:,}", err=True, nl=ended)
    elif read == 0:
        click.echo(f"reading {of:,} transcripts …", err=True)


def _many(paths: Paths) -> str:
    with closing(Database(paths.state / SEARCH)) as database:
        count, _, _ = database.totals()
    return "1 transcript" if count == 1 else f"{count} transcripts"


def _line(hit: Hit) -> str:
    found = _BOLD.format(printable(hit.found)) if _is_coloured() else printable(hit.found)
    text = f"{printable(hit.before)}{found}{printable(hit.after)}"
    return f"{printable(hit.stem)}  {clock(hit.start)}  {text}"


def _is_coloured() -> bool:
    return sys.stdout.isatty() and "NO_COLOR" not in os.environ


def _facts(hit: Hit, outbox: Path, sought: str) -> dict[str, object]:
    return {
        "name": hit.stem,
        "source": hit.source,
        "recorded_at": hit.recorded_at or None,
        "start": hit.start,
        "before": hit.before,
        "found": hit.found,
        "after": hit.after,
        "address": _address(hit, outbox, sought),
    }


def _address(hit: Hit, outbox: Path, sought: str) -> str:
    """The page at the spot; the plain text where there is no page."""
    page = outbox / f"{hit.stem}.html"
    if page.is_file():
        return f"{page.absolute().as_uri()}#t={hit.start:g}&q={quote(sought, safe='')}"
    text = outbox / f"{hit.stem}.txt"
    return (text if text.is_file() else outbox / f"{hit.stem}.json").absolute().as_uri()


def _open(address: str) -> None:
    import webbrowser  # noqa: PLC0415 - for --open only

    if not webbrowser.open(address):
        raise DropscribeError(f"no browser could be started; the page is {address}")
