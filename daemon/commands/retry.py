"""`dropscribe retry`: put failed recordings back into the inbox."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.completion import JOB
from daemon.commands.find_job import number_of
from daemon.commands.stand_in import retry_stand_ins
from daemon.config import file as config_file
from daemon.domain.job import FailureKind
from daemon.domain.names import printable
from daemon.errors import FAILED, OK, UsageError
from daemon.files.moving import move_without_clobbering
from daemon.files.state_folder import REPORT_SUFFIX


@command(
    examples=[
        ("dropscribe retry 12", "job 12's recording"),
        ("dropscribe retry talk.mp4", "by its name"),
        ("dropscribe retry --all", "everything but what was cancelled"),
        ("dropscribe retry --stand-in", "what base transcribed before the model was here"),
    ]
)
@click.argument("which", nargs=-1, type=JOB, metavar="JOB|NAME|PATH...")
@click.option("--all", "everything", is_flag=True, help="All that failed, and was not cancelled.")
@click.option("--stand-in", is_flag=True, help="Finished ones that a stand-in transcribed.")
def retry(config_path: Path, which: tuple[str, ...], everything: bool, stand_in: bool) -> int:
    """Put failed recordings back into the inbox, as if they had been dropped anew."""
    config = config_file.load(config_path)
    if stand_in:
        return OK if retry_stand_ins(config) else FAILED
    paths = config.paths
    if not which and not everything:
        raise UsageError("say which: job numbers, file names, or --all")
    reports = failed_reports(paths.failed)
    chosen = [report for report in reports if everything and not report.cancelled]
    missed = []
    for name in which:
        meant = [report for report in reports if report.is_meant_by(name)]
        chosen += meant
        missed += [] if meant else [name]
    taken = [report for report in dict.fromkeys(chosen) if not _retry(report, paths.inbox)]
    for name in missed:
        click.echo(
            f"dropscribe: {printable(name)}: no such failed file in {paths.failed}", err=True
        )
    return FAILED if missed or taken else OK


@dataclass(frozen=True, slots=True)
class Report:
    """A report in failed/, the file it speaks of, and what a person may call that.

    `folder` is that of the inbox that the file was dropped into, and that failed/ mirrors.
    """

    path: Path
    file: Path
    folder: Path
    names: frozenset[str]
    job: int | None
    cancelled: bool

    @property
    def title(self) -> str:
        """The file's name, with its folder."""
        return printable(str(self.folder / self.file.name))

    def is_meant_by(self, which: str) -> bool:
        if (number := number_of(which)) is not None and number == self.job:
            return True
        path = Path(which).expanduser()
        if len(path.parts) > 1 and path.absolute() in {self.file, self.path}:
            return True
        return which in self.names


def failed_reports(failed: Path) -> list[Report]:
    """What lies in failed/, by its reports."""
    return [_read(path, failed) for path in sorted(failed.rglob(f"*{REPORT_SUFFIX}"))]


def _read(path: Path, failed: Path) -> Report:
    name = path.name.removesuffix(REPORT_SUFFIX)
    names, job, cancelled = {name}, None, False
    try:
        data = json.loads(path.read_bytes())
        name = Path(str(data["file"])).name  # the report's own name may be cut
        names |= {name, printable(name)}
        job = int(data["job"])
        cancelled = data["kind"] == FailureKind.CANCELLED
    except (OSError, ValueError, KeyError, TypeError):
        pass  # a report that was edited: its own name still serves
    folder = path.parent.relative_to(failed)
    below = {str(folder / name) for name in names}
    return Report(path, path.with_name(name), folder, frozenset(names | below), job, cancelled)


def _retry(report: Report, inbox: Path) -> bool:
    """Moving the file is all: the daemon finds it as if it had been dropped anew.

    False if the inbox holds another file of that name, which has to go first.
    """
    name = report.title
    if os.path.lexists(report.file):
        target = inbox / report.folder
        target.mkdir(parents=True, exist_ok=True)  # it goes when the last recording leaves it
        try:
            move_without_clobbering(report.file, target / report.file.name)
        except FileExistsError:
            message = f"{name}: the inbox holds another file of that name: move that first"
            click.echo(f"dropscribe: {message}", err=True)
            return False
        print(f"{name}: back in the inbox")
    else:
        print(f"{name}: not in {report.file.parent} any more")
    report.path.unlink(missing_ok=True)
    return True
