"""What a shell offers where a command takes a job or a file."""

from __future__ import annotations

import os
import re
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from daemon.errors import DropscribeError

_LATEST = 200  # jobs that are looked at
_OFFERED = 30
# Completion scripts divide at commas and spaces: a file with another name is offered by its number.
_PLAIN = re.compile(r"[\w.@%+=:/-]+")


class _JobType(click.ParamType[str]):
    """A job's number, a file's name or a path; what it means is found out later (find_job.py)."""

    name = "job"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        offered = {} if "/" in incomplete else _jobs(ctx.params.get("config_path"))
        meant = [
            CompletionItem(name, help=what)
            for name, what in offered.items()
            if name.startswith(incomplete)
        ]
        return meant[:_OFFERED] or [CompletionItem(incomplete, type="file")]


def _jobs(config_path: Path | None) -> dict[str, str]:
    """The names of the latest files, their numbers where a shell could not take these; and what
    became of each."""
    from daemon.commands.find_job import opened_ledger  # noqa: PLC0415 - `--help` needs no queue
    from daemon.config import file as config_file  # noqa: PLC0415
    from daemon.config.location import default_path  # noqa: PLC0415

    try:
        paths = config_file.load(config_path or default_path(os.environ)).paths
    except DropscribeError:
        return {}
    with opened_ledger(paths) as ledger:
        latest = ledger.recent(_LATEST) if ledger else []
    named = {
        job.name if _PLAIN.fullmatch(job.name) else str(job.id): f"{job.next}, {job.name}"
        for job in reversed(latest)
    }
    return dict(reversed(named.items()))


class _FileType(click.ParamType[str]):
    """A file, a folder, or whatever else `transcribe` takes."""

    name = "file"

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        return [CompletionItem(incomplete, type="file")]


JOB = _JobType()
FILE = _FileType()
