"""`dropscribe logs`: the end of the log, or all that it says of one file."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.completion import JOB
from daemon.commands.find_job import find_job, opened_ledger
from daemon.config import file as config_file
from daemon.config.settings import Paths
from daemon.domain.names import printable
from daemon.errors import OK, DropscribeError, UsageError
from daemon.files.state_folder import JOBS
from daemon.handoff import artefacts

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@command(
    examples=[
        ("dropscribe logs -f", "go on until Ctrl-C"),
        ("dropscribe logs 12", "what was said of job 12, and by the processes that worked on it"),
    ]
)
@click.argument("which", required=False, type=JOB, metavar="[JOB|NAME|PATH]")
@click.option("-f", "--follow", is_flag=True, help="Go on until Ctrl-C, over rotations too.")
@click.option("-n", "--lines", type=click.IntRange(min=1), default=40, show_default=True)
def logs(config_path: Path, which: str | None, follow: bool, lines: int) -> int:
    """Show the end of the log, or of what it says of one file."""
    paths = config_file.load(config_path).paths
    if which is not None:
        if follow:
            raise UsageError("-f follows the whole log: leave the file out, or -f")
        with opened_ledger(paths) as ledger:
            job = find_job(ledger, paths, which)
        for line in [*_said(paths, job.id), *_told(paths, job.id)][-lines:]:
            print(line)
        return OK
    files = [paths.logs / name for name in ("launchd.log", "daemon.log")]
    written = [str(file) for file in files if file.is_file() and file.stat().st_size]
    if not written:
        raise DropscribeError(
            f"there is no log in {paths.logs} yet: start it with dropscribe install"
        )
    options = ["-n", str(lines), *(["-F"] if follow else [])]
    return subprocess.run(["tail", *options, *written], check=False).returncode


def _told(paths: Paths, job: int) -> Iterator[str]:
    """The daemon's lines about a job, from every file that rotation has left."""
    for path in sorted(paths.logs.glob("events*.jsonl"), key=lambda path: path.stat().st_mtime):
        for line in path.read_bytes().splitlines():
            try:
                event = json.loads(line)
                if event.get("job") == job:
                    yield printable(f"{event['time']} {event['level']} {event['message']}")
            except (ValueError, KeyError, AttributeError):
                continue  # a line that a power cut has torn


def _said(paths: Paths, job: int) -> Iterator[str]:
    """What the processes said that worked on it: libraries' words, for whoever seeks a defect."""
    log = paths.state / JOBS / str(job) / artefacts.LOG
    if log.is_file() and log.stat().st_size:
        yield f"{log}:"
        for line in log.read_text(encoding="utf-8", errors="replace").splitlines():
            yield f"  {printable(_COLOUR.sub('', line))}"
