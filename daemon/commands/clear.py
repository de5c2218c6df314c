"""`dropscribe clear`: failures that have been dealt with."""

from __future__ import annotations

import os
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.completion import JOB
from daemon.commands.retry import failed_reports
from daemon.config import file as config_file
from daemon.domain.names import printable
from daemon.errors import FAILED, OK, UsageError


@command(
    examples=[
        ("dropscribe clear 12", "job 12's failure has been seen to"),
        ("dropscribe clear --all", "all of them"),
    ]
)
@click.argument("which", nargs=-1, type=JOB, metavar="JOB|NAME|PATH...")
@click.option("--all", "everything", is_flag=True, help="All that failed.")
def clear(config_path: Path, which: tuple[str, ...], everything: bool) -> int:
    """Forget failures: their reports go, and `status` counts them no more. Recordings stay."""
    failed = config_file.load(config_path).paths.failed
    if not which and not everything:
        raise UsageError("say which: job numbers, file names, or --all")
    reports = failed_reports(failed)
    missed = [name for name in which if not any(report.is_meant_by(name) for report in reports)]
    for report in reports:
        if everything or any(report.is_meant_by(name) for name in which):
            report.path.unlink(missing_ok=True)
            stays = os.path.lexists(report.file)
            print(
                f"{report.title}: cleared"
                + (f"; it stays in {report.file.parent}" if stays else "")
            )
    for name in missed:
        click.echo(f"dropscribe: {printable(name)}: no such failed file in {failed}", err=True)
    return FAILED if missed else OK
