"""`dropscribe retry`: put failed recordings back into the inbox."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import dataclass
from pathlib import Path

from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.domain.job import printable
from daemon.errors import FAILED, OK, DropscribeError
from daemon.files.moving import move_without_clobbering
from daemon.files.state_folder import REPORT_SUFFIX


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", nargs="*", metavar="JOB|NAME", help="job numbers or file names")
    parser.add_argument("--all", action="store_true", help="everything in failed/")


def _run(arguments: argparse.Namespace) -> int:
    config = config_file.load(arguments.config)
    reports = _reports(config.paths.failed)
    if not arguments.which and not arguments.all:
        raise DropscribeError("say which: job numbers, file names, or --all")
    if arguments.all:
        chosen = reports
    else:
        chosen = [one for one in reports if one.names & set(map(_plain, arguments.which))]
    taken = [report for report in chosen if not _retry(report, config.paths.inbox)]
    known = {name for report in chosen for name in report.names}
    missed = [one for one in arguments.which if _plain(one) not in known]
    for one in missed:
        print(f"dropscribe: {printable(one)}: no such failed file in {config.paths.failed}")
    return FAILED if missed or taken else OK


@dataclass(frozen=True, slots=True)
class _Report:
    """A report in failed/, the file it speaks of, and what a person may call that."""

    path: Path
    file: Path
    names: frozenset[str]


def _reports(failed: Path) -> list[_Report]:
    return [_read(path) for path in sorted(failed.glob(f"*{REPORT_SUFFIX}"))]


def _read(path: Path) -> _Report:
    name = path.name.removesuffix(REPORT_SUFFIX)
    names = {name}
    try:
        data = json.loads(path.read_bytes())
        name = Path(str(data["file"])).name  # the report's own name may be cut
        names |= {name, printable(name), str(data["job"])}
    except (OSError, ValueError, KeyError, TypeError):
        pass  # a report that was edited: its own name still serves
    return _Report(path, path.with_name(name), frozenset(names))


def _plain(which: str) -> str:
    return which.removeprefix("#")


def _retry(report: _Report, inbox: Path) -> bool:
    """Moving the file is all: the daemon finds it as if it had been dropped anew.

    False if the inbox holds another file of that name, which has to go first.
    """
    name = printable(report.file.name)
    if os.path.lexists(report.file):
        try:
            move_without_clobbering(report.file, inbox / report.file.name)
        except FileExistsError:
            print(f"dropscribe: {name}: the inbox holds another file of that name: move that first")
            return False
        print(f"{name}: back in the inbox")
    report.path.unlink(missing_ok=True)
    return True


VERB = Verb("retry", "put failed recordings back into the inbox", _arguments, _run)
