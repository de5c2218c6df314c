"""`dropscribe cancel JOB|NAME|PATH`: give up a file that waits or is being worked on."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.completion import JOB
from daemon.commands.find_job import find_job, opened_ledger
from daemon.config import file as config_file
from daemon.domain.job import TERMINAL
from daemon.errors import OK
from daemon.files import lock
from daemon.files.state_folder import TEMP_PREFIX
from daemon.ledger.cancellations import Cancellations


@command(
    examples=[
        ("dropscribe cancel 12", "by its number"),
        ("dropscribe cancel talk.mp4", "by its name"),
    ]
)
@click.argument("which", nargs=-1, required=True, type=JOB, metavar="JOB|NAME|PATH...")
def cancel(config_path: Path, which: tuple[str, ...]) -> int:
    """Give up files that wait or are being worked on. The recordings go to the failed folder."""
    paths = config_file.load(config_path).paths
    with opened_ledger(paths) as ledger:
        jobs = [
            find_job(ledger, paths, name, lambda job: job.next not in TERMINAL, "unfinished job")
            for name in which
        ]
    running = lock.is_held(paths.state)
    for job in jobs:
        Cancellations(paths.state).ask(job.id)
        when = "in a moment" if running else "when the daemon runs again"
        print(f"{job.name}: will be moved to {paths.failed} {when}")
    if running:
        ring(paths.inbox)
    return OK


def ring(inbox: Path) -> None:
    """Whatever happens in the inbox makes the daemon look; else it looks at its next rescan."""
    with (
        contextlib.suppress(OSError),
        tempfile.NamedTemporaryFile(dir=inbox, prefix=TEMP_PREFIX),
    ):
        pass
