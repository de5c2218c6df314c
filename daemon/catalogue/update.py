"""`python -m daemon.catalogue.update`: brings the search index and index.html up to date, once.

A process of its own, at low priority, so that no delivery waits for it. Writes "busy" if there is
work in the queue (the page shows how far it is, and will soon be out of date), else "idle".
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import sys
import time
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from daemon.catalogue.database import Database
from daemon.catalogue.index import FOLDER, NAME, ForeignIndexError, write_index
from daemon.catalogue.queue_view import is_busy, queue_view
from daemon.catalogue.sync import sync
from daemon.catalogue.updater import STOPPED
from daemon.errors import FAILED, OK
from daemon.files.permissions import share
from daemon.files.state_folder import SEARCH

_POLITE = 10  # nice(2)


def main(given: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="daemon.catalogue.update")
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--outbox", type=Path, required=True)
    parser.add_argument("--mode", default="")
    parser.add_argument("--group", default="")
    parser.add_argument(STOPPED, action="store_true", help="the daemon is about to end")
    paths = parser.parse_args(given)
    os.umask(0o077)
    os.nice(_POLITE)
    now = time.time()
    try:
        queue = queue_view(paths.state, now, paths.stopped)
        with closing(Database(paths.state / SEARCH)) as database:
            sync(database, paths.outbox)
            write_index(database, paths.outbox, queue, now)
        folder = paths.outbox / FOLDER
        share([paths.outbox / NAME, *folder.iterdir()], [folder], paths.mode, paths.group)
    except (OSError, sqlite3.Error, ForeignIndexError) as error:
        sys.stderr.write(f"index.html: {error}\n")
        return FAILED
    sys.stdout.write("busy" if is_busy(queue) else "idle")
    return OK


if __name__ == "__main__":
    sys.exit(main())
