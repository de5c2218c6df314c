"""`dropscribe cancel JOB|NAME`: give up a file that waits or is being worked on."""

from __future__ import annotations

import argparse
import contextlib
import tempfile
from contextlib import closing
from pathlib import Path

from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.domain.job import Job, printable
from daemon.errors import OK, DropscribeError
from daemon.files import lock
from daemon.files.state_folder import LEDGER, TEMP_PREFIX
from daemon.ledger.cancellations import Cancellations
from daemon.ledger.ledger import Ledger


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", metavar="JOB|NAME", help="a job's number, or a file's name")


def _run(arguments: argparse.Namespace) -> int:
    paths = config_file.load(arguments.config).paths
    job = _active(paths.state / LEDGER, arguments.which.removeprefix("#"))
    Cancellations(paths.state).ask(job.id)
    if lock.is_held(paths.state):
        _ring(paths.inbox)
        print(f"{job.name}: will be moved to {paths.failed} in a moment")
    else:
        print(f"{job.name}: will be moved to {paths.failed} when the daemon runs again")
    return OK


def _active(path: Path, which: str) -> Job:
    if path.exists():
        with closing(Ledger(path, read_only=True)) as ledger:
            for job in ledger.active():
                if which in {str(job.id), job.name, job.source.name}:
                    return job
    raise DropscribeError(
        f"{printable(which)}: no such file waits or is being worked on; see `dropscribe jobs`"
    )


def _ring(inbox: Path) -> None:
    """Whatever happens in the inbox makes the daemon look; else it looks at its next rescan."""
    with (
        contextlib.suppress(OSError),
        tempfile.NamedTemporaryFile(dir=inbox, prefix=TEMP_PREFIX),
    ):
        pass


VERB = Verb("cancel", "give up a file that waits or is being worked on", _arguments, _run)
