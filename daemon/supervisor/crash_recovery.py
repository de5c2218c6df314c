"""What a daemon that was killed left behind: processes, half-written files, perhaps a ledger."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

from daemon.config.settings import Paths
from daemon.domain.job import TERMINAL
from daemon.errors import TemporaryError
from daemon.files.atomic import sweep_temporaries
from daemon.files.faults import explain
from daemon.files.real_path import real_path
from daemon.files.state_folder import JOBS, LEDGER, TEMP_PREFIX
from daemon.handoff import artefacts
from daemon.ledger.ledger import CorruptLedgerError, Ledger
from daemon.ledger.schema import Delivered
from daemon.outbox import provenance
from daemon.processes.process_tree import processes
from daemon.reporting.event_log import EventLog


def open_ledger(paths: Paths, event_log: EventLog) -> Ledger:
    """The ledger. A damaged one is set aside; a new one learns from the outbox what is done.

    Raises TemporaryError if the disk does not let us have it now.
    """
    try:
        return _opened_ledger(paths, event_log)
    except (OSError, sqlite3.OperationalError) as error:
        raise TemporaryError(explain(error)) from error


def _opened_ledger(paths: Paths, event_log: EventLog) -> Ledger:
    try:
        ledger = Ledger(paths.state / LEDGER)
    except CorruptLedgerError as error:
        _set_aside(paths.state)
        event_log.warning(
            "ledger_replaced", f"the queue's database was damaged ({error}): set aside"
        )
        ledger = Ledger(paths.state / LEDGER)
    if ledger.is_new and (known := ledger.recover(_delivered(paths), time.time())):
        message = f"a new queue: it knows the {known} recordings whose results are in the outbox"
        event_log.info("recovered", message, recordings=known)
    return ledger


def _set_aside(state: Path) -> None:
    stamp = time.strftime("%Y%m%d-%H%M%S")
    for path in [*state.glob(f"{LEDGER}*"), state / JOBS]:
        if "corrupt" not in path.name and path.exists():
            path.rename(path.with_name(f"{path.name}.corrupt-{stamp}"))
    (state / JOBS).mkdir()


def _delivered(paths: Paths) -> Iterator[Delivered]:
    """Each delivery in the outbox, as its JSON tells."""
    inbox = real_path(paths.inbox)
    for path in sorted(paths.outbox.rglob("*.json")):
        if (origin := provenance.read(path)) is not None:
            inside = path.parent.relative_to(paths.outbox)
            yield Delivered(
                source=inbox / inside / origin.source,
                size=origin.bytes,
                sha256=origin.sha256,
                stem=str(inside / path.name.removesuffix(".json")),
            )


def sweep_folders(*folders: Path) -> None:
    """Remove our temporary files from these; a folder that is not there has none."""
    for folder in folders:
        with contextlib.suppress(OSError):
            sweep_temporaries(folder)


def sweep_jobs(jobs: Path, ledger: Ledger) -> None:
    """Remove half-written files in the jobs' folders, and the large ones of finished jobs."""
    large = frozenset(artefacts.LARGE)
    for folder in jobs.iterdir():
        with contextlib.suppress(OSError, sqlite3.OperationalError):
            names = {path.name for path in folder.iterdir()}  # one look: there may be very many
            if any(name.startswith(TEMP_PREFIX) for name in names):
                sweep_temporaries(folder)
            if not large.isdisjoint(names):
                job = ledger.job(int(folder.name)) if folder.name.isdecimal() else None
                if job is None or job.next in TERMINAL:
                    artefacts.drop(folder)


def sweep_orphans(state: Path) -> None:
    """End stage processes of a daemon that was killed, should one have outlived its stdin's end."""
    for process in processes():
        with contextlib.suppress(psutil.Error):
            modules = ("daemon.stages.", "daemon.cluster.")
            if not any(part.startswith(modules) for part in process.cmdline()):
                continue
            is_below = Path(process.cwd()).is_relative_to(state.resolve())
            if is_below and process.ppid() != os.getpid():
                process.kill()
