"""`dropscribe jobs`: every file that came in, the newest first, and what became of it."""

from __future__ import annotations

from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.find_job import opened_ledger
from daemon.commands.json_output import print_line
from daemon.commands.status import line, rows_of
from daemon.config import file as config_file
from daemon.domain.job import Job, Stage
from daemon.errors import OK

_SHOWN = 1000  # jobs, unless another number is asked for


@command(
    examples=[
        ("dropscribe jobs -n 10", "the latest ten"),
        ("dropscribe jobs --next failed", "what failed"),
    ]
)
@click.option(
    "-n",
    "--number",
    type=click.IntRange(min=1),
    help="At most so many.",
    default=_SHOWN,
    show_default=True,
)
@click.option("--next", "stage", type=click.Choice([str(stage) for stage in Stage]))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def jobs(config_path: Path, number: int, stage: str | None, as_json: bool) -> int:
    """List the files that came in, the newest first, and what became of them."""
    paths = config_file.load(config_path).paths
    with opened_ledger(paths) as ledger:
        latest: list[Job] = []
        if ledger is not None:
            latest = ledger.latest(Stage(stage), number) if stage else ledger.recent(number)
    for fields in rows_of(latest, paths):
        if as_json:
            print_line(fields)
        else:
            print(line(fields))
    return OK
