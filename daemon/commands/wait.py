"""`dropscribe wait`: until files are done, for scripts."""

from __future__ import annotations

import time
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.completion import JOB
from daemon.commands.find_job import (
    find_job,
    folder_of,
    opened_ledger,
    real_inbox,
    titled,
)
from daemon.commands.json_output import print_line
from daemon.commands.status import rows_of
from daemon.commands.usage import Seconds
from daemon.config import file as config_file
from daemon.domain.job import TERMINAL, Job, Stage
from daemon.errors import FAILED, OK, DropscribeError, TemporaryError
from daemon.files import lock

_LOOK_SECONDS = 0.5


@command(
    examples=[
        ("dropscribe wait 12", "until job 12 is at its end"),
        ("dropscribe wait", "until nothing is left to do"),
    ]
)
@click.argument("which", nargs=-1, type=JOB, metavar="[JOB|NAME|PATH]...")
@click.option("--timeout", type=Seconds(), help="Seconds; then it ends with 75.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line, as of jobs.")
def wait(config_path: Path, which: tuple[str, ...], timeout: float | None, as_json: bool) -> int:
    """Wait until files are done, or until nothing is left to do. Ends with 1 if any failed."""
    paths = config_file.load(config_path).paths
    deadline = None if timeout is None else time.monotonic() + timeout
    with opened_ledger(paths) as ledger:
        if ledger is None:
            raise DropscribeError("no daemon has run here yet: start it with dropscribe install")
        numbers = [find_job(ledger, paths, name).id for name in which]
        numbers = numbers or [job.id for job in ledger.active()]
        while left := _left(jobs := [ledger.job(number) for number in numbers]):
            if deadline is not None and time.monotonic() >= deadline:
                raise TemporaryError(f"not done yet: {', '.join(job.name for job in left)}")
            if not lock.is_held(paths.state):
                raise TemporaryError(f"the daemon does not run: {len(left)} files wait for it")
            time.sleep(_LOOK_SECONDS)
    ended = [job for job in jobs if job is not None]
    if as_json:
        for row in rows_of(ended, paths):
            print_line(row)
    else:
        inbox = real_inbox(paths)
        for job in ended:
            reason = f": {job.failure.message}" if job.failure else ""
            name = titled(folder_of(job, inbox), job.name)
            print(f"#{job.id} {name}: {job.next}{reason}")
    return OK if all(job.next is Stage.DONE for job in ended) else FAILED


def _left(jobs: list[Job | None]) -> list[Job]:
    return [job for job in jobs if job is not None and job.next not in TERMINAL]
