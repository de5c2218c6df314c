"""What a person may call a job: its number, a file's name, or a path. The same in every command."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path, PurePosixPath

from daemon.config.settings import Paths
from daemon.domain.job import Job, Stage
from daemon.domain.names import inside_inbox, printable
from daemon.errors import DropscribeError, TemporaryError
from daemon.files.answering import answer_within
from daemon.files.faults import explain
from daemon.files.real_path import real_path
from daemon.files.state_folder import LEDGER
from daemon.ledger.ledger import Ledger

_INBOX_SECONDS = 3.0
_NUMBER = re.compile(r"(?:#|job-)?0*(\d+)")


def number_of(which: str) -> int | None:
    """The job's number in 12, #12, job-12 or job-012; None if it is no number."""
    found = _NUMBER.fullmatch(which)
    return int(found[1]) if found else None


def path_of(which: str) -> Path | None:
    """The file that is meant by a path, or by a name that lies in this folder; None for others."""
    path = Path(which).expanduser()
    return path if len(path.parts) > 1 or path.is_absolute() or os.path.lexists(path) else None


def real_inbox(paths: Paths) -> Path:
    """The inbox as the paths of jobs begin with it; as it is written if it does not answer."""
    try:
        return answer_within(_INBOX_SECONDS, lambda: real_path(paths.inbox))
    except OSError:
        return paths.inbox


def folder_of(job: Job, inbox: Path) -> str:
    """The folder in the inbox that the recording was dropped into, for a person; "" if in none."""
    folder = printable(str(inside_inbox(job.source.parent, inbox)))
    return "" if folder == "." else folder


def titled(folder: str, name: str) -> str:
    """A file's name with its folder in the inbox."""
    return f"{folder}/{name}" if folder else name


@contextmanager
def opened_ledger(paths: Paths) -> Iterator[Ledger | None]:
    """The queue, for reading; None where no daemon has ever run.

    Raises DropscribeError if it is damaged, and TemporaryError if it cannot be read now.
    """
    path = paths.state / LEDGER
    if not path.exists():
        yield None
        return
    try:
        with closing(Ledger(path, read_only=True)) as ledger:
            yield ledger
    except sqlite3.OperationalError as error:
        raise TemporaryError(explain(error)) from error
    except sqlite3.DatabaseError as error:
        raise DropscribeError(
            f"the queue's database {path} is damaged ({error}). Run: dropscribe restart;"
            " the daemon sets it aside and learns from the outbox what is done"
        ) from error


def find_job(
    ledger: Ledger | None,
    paths: Paths,
    which: str,
    fits: Callable[[Job], bool] = lambda job: True,
    what: str = "job",
) -> Job:
    """The newest job that `which` means among those that fit; `what` says which these are.

    A number is a job's number even if a file bears it as its name (then say 12.wav, or ./12). A
    path is that very file: a job of a file with the same name elsewhere is not taken for it; where
    it leads nowhere, it may be one below the inbox or the outbox. Raises DropscribeError.
    """
    number = number_of(which)
    path = None if number is not None else path_of(which)
    numbered = ledger.job(number) if ledger and number is not None else None
    if numbered is not None and fits(numbered):
        return numbered

    def newest(is_meant: Callable[[Job], bool]) -> Job | None:
        jobs = ledger.newest() if ledger else iter(())
        return next((job for job in jobs if is_meant(job) and fits(job)), None)

    inbox = real_inbox(paths)
    if path is not None:
        if known := newest(lambda job: _is_at(job, path, paths, inbox)):
            return known
        if not os.path.lexists(path) and (
            known := newest(lambda job: _is_below(job, str(path), inbox))
        ):
            return known
        namesake = newest(lambda job: _bears(job, path.name))
        also = f"; job {namesake.id} is of another file of that name" if namesake else ""
        raise DropscribeError(f"{printable(which)}: no {what} is of this file{also}")
    if known := newest(lambda job: _bears(job, which)):
        return known
    named = f"there is no {what} {number}" if number else f"{printable(which)}: no such {what}"
    raise DropscribeError(f"{named}; see: dropscribe jobs")


def _bears(job: Job, name: str) -> bool:
    stem = job.stem and PurePosixPath(job.stem).name
    return name in {job.name, job.source.name, job.stem, stem}


def _is_below(job: Job, path: str, inbox: Path) -> bool:
    """Whether the path is the recording's from the inbox on, or its results' from the outbox on."""
    return path in (job.stem, titled(folder_of(job, inbox), job.name))


def _is_at(job: Job, path: Path, paths: Paths, inbox: Path) -> bool:
    """Whether the path is the job's recording, where it lay or lies now, or one of its outputs."""
    path = path.absolute()
    if path in {job.source, job.source.resolve()} or path.resolve() == job.source.resolve():
        return True
    if job.next is Stage.DONE and job.stem:
        stem = paths.outbox.resolve() / job.stem
        if path.parent.resolve() == stem.parent and path.name.startswith(f"{stem.name}."):
            return True
    filed = {Stage.DONE: paths.done, Stage.FAILED: paths.failed}.get(job.next)
    return (
        filed is not None
        and path.parent.resolve() == filed.resolve() / inside_inbox(job.source.parent, inbox)
        and path.name == job.source.name
    )
