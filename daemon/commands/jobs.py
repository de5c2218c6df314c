"""`dropscribe jobs`: every file that came in, the newest first, and what became of it."""

from __future__ import annotations

import argparse
import json
from contextlib import closing

from daemon.commands.status import line, told_of
from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.domain.job import Stage
from daemon.errors import OK
from daemon.files.state_folder import LEDGER
from daemon.ledger.ledger import Ledger

_ALL = 1_000_000


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-n", "--number", type=int, default=_ALL, help="at most so many")
    parser.add_argument("--next", choices=[str(stage) for stage in Stage], help="only these")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def _run(arguments: argparse.Namespace) -> int:
    path = config_file.load(arguments.config).paths.state / LEDGER
    if not path.exists():
        return OK
    with closing(Ledger(path, read_only=True)) as ledger:
        jobs = ledger.recent(_ALL if arguments.next else arguments.number)
    wanted = [told_of(job) for job in jobs if arguments.next in (None, job.next)]
    for told in wanted[: arguments.number]:
        print(json.dumps(told) if arguments.json else line(told))
    return OK


VERB = Verb("jobs", "list every file that came in, and what became of it", _arguments, _run)
