"""`dropscribe jobs`: every file that came in, the newest first, and what became of it."""

from __future__ import annotations

from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.find_job import opened_ledger
from daemon.commands.json_output import print_line
from daemon.commands.status import line, told_of
from daemon.config import file as config_file
from daemon.domain.job import Stage
from daemon.errors import OK

_ALL = 1_000_000


@command(
    examples=[
        ("dropscribe jobs -n 10", "the latest ten"),
        ("dropscribe jobs --next failed", "what failed"),
    ]
)
@click.option("-n", "--number", type=click.IntRange(min=1), help="At most so many.")
@click.option("--next", "stage", type=click.Choice([str(stage) for stage in Stage]))
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def jobs(config_path: Path, number: int | None, stage: str | None, as_json: bool) -> int:
    """List every file that came in, the newest first, and what became of it."""
    with opened_ledger(config_file.load(config_path).paths) as ledger:
        latest = ledger.recent(number if number and not stage else _ALL) if ledger else []
    wanted = [told_of(job) for job in latest if stage in (None, job.next)]
    for told in wanted[:number]:
        if as_json:
            print_line(told)
        else:
            print(line(told))
    return OK
