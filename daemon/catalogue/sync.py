"""The database follows the outbox: what is new or edited is read, what has gone is forgotten."""

from __future__ import annotations

import contextlib
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from daemon.catalogue.database import Database, Entry, Passage
from daemon.catalogue.reading import read
from daemon.files.state_folder import TIMING_SUFFIX

_BATCH = 200  # transcripts stored in one transaction
_NO_TRANSCRIPTS = (f".{TIMING_SUFFIX}", ".verbose.json")


def sync(
    database: Database, outbox: Path, on_read: Callable[[int, int], None] = lambda done, of: None
) -> int:
    """Bring `database` up to date with `outbox`; returns how many transcripts have changed.

    What is no transcript is passed over. `on_read` is called now and then with how many were read
    of how many. Raises OSError if the outbox cannot be read.
    """
    there = dict(_documents(outbox))
    known = database.known()
    gone = known.keys() - there.keys()
    changed = [stem for stem, state in there.items() if known.get(stem) != state]
    changed.sort(key=lambda stem: there[stem])  # the oldest first: ids follow the time
    for at in range(0, len(changed), _BATCH):
        on_read(at, len(changed))
        batch = changed[at : at + _BATCH]
        items = [item for stem in batch if (item := _read(outbox, stem, there[stem]))]
        stored = {entry.stem for entry, _ in items}
        database.put(items, [stem for stem in batch if stem not in stored and stem in known])
    on_read(len(changed), len(changed))
    if gone:
        database.put([], gone)
    return len(changed) + len(gone)


def _documents(outbox: Path, inside: str = "") -> Iterator[tuple[str, tuple[int, int]]]:
    """(stem, (modification time in ns, size)) of everything that may be a transcript.

    A stem in a folder of the outbox begins with that folder. Links are not followed.
    """
    with os.scandir(outbox / inside) as entries:
        for entry in entries:
            name = entry.name
            if name.startswith("."):
                continue
            if entry.is_dir(follow_symlinks=False):
                with contextlib.suppress(OSError):  # gone, or somebody else's
                    yield from _documents(outbox, f"{inside}{name}/")
            elif name.endswith(".json") and not name.endswith(_NO_TRANSCRIPTS):
                status = entry.stat(follow_symlinks=False)
                if stat.S_ISREG(status.st_mode):
                    stem = inside + name.removesuffix(".json")
                    yield stem, (status.st_mtime_ns, status.st_size)


def _read(
    outbox: Path, stem: str, state: tuple[int, int]
) -> tuple[Entry, Sequence[Passage]] | None:
    try:
        stem.encode()  # a name that is no text cannot be ours
        return read((outbox / f"{stem}.json").read_bytes(), stem, state)
    except (OSError, ValueError, RecursionError):
        return None
