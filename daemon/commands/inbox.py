"""`dropscribe inbox`: what lies in the inbox, and why some of it is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.find_job import opened_ledger
from daemon.commands.json_output import print_line
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.names import printable
from daemon.errors import OK, DropscribeError
from daemon.files.real_path import real_path
from daemon.inbox.scan import look_into
from daemon.ledger.ledger import Ledger


@command(examples=[("dropscribe inbox", "what waits, and what is left alone and why")])
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def inbox(config_path: Path, as_json: bool) -> int:
    """What lies in the inbox: what waits, what settles, and what is left alone and why."""
    config = config_file.load(config_path)
    if not config.paths.inbox.is_dir():
        raise DropscribeError(
            f"there is no {config.paths.inbox} yet: it is made when the daemon starts"
        )
    with opened_ledger(config.paths) as ledger:
        for name, state, reason in sorted(_contents(config, ledger)):
            if as_json:
                print_line({"name": name, "state": state, "reason": reason})
            else:
                print(f"{name}: {state}" + (f" ({reason})" if reason else ""))
    return OK


def _contents(config: Config, ledger: Ledger | None) -> Iterator[tuple[str, str, str]]:
    """Name, state and reason of everything that a person sees in the folder."""
    folder = real_path(config.paths.inbox)
    look = look_into(folder, config.watch.extensions, config.watch.recursive)
    active = {job.source: job for job in (ledger.active() if ledger else [])}
    for found in look.candidates:
        job, name = active.get(found.path), printable(str(found.path.relative_to(folder)))
        if found.refusal is not None:
            yield name, "refused", found.refusal
        elif job is not None:
            yield name, f"job {job.id}, next: {job.next}", ""
        else:
            yield name, "settling, or the daemon has not looked yet", ""
    for name, meant in look.profiles.items():
        yield printable(name), "settings", meant
    for name, reason in look.reasons.items():
        yield printable(name), "left alone", reason
    known = {*look.recordings, *look.ignored, *look.profiles}
    for path in folder.iterdir():
        if not path.name.startswith(".") and path.name not in known and not path.is_dir():
            yield printable(path.name), "left alone", "another program is not done with it"
