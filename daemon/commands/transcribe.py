"""`dropscribe transcribe FILE…`: the same stages for files named by hand, without a daemon."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import click

from daemon.commands import tables
from daemon.commands.command_line import command
from daemon.commands.options import FOLDER, chosen_formats
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.job import Job, Stage
from daemon.domain.transcript import Json
from daemon.errors import FAILED, INTERRUPTED, OK, UsageError
from daemon.inbox.scan import candidate
from daemon.models import hardware
from daemon.reporting.event_log import EventLog, open_logs
from daemon.supervisor.application import Application, stage_commands


@command(
    examples=[
        ("dropscribe transcribe talk.mp4 -o .", "text, subtitles and JSON, into this folder"),
        ("dropscribe transcribe *.m4a -f srt --language de", "German subtitles of several"),
    ]
)
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output-dir", type=FOLDER, default=Path(), help="Default: this folder.")
@click.option("-f", "--formats", help="Such as txt,srt,vtt,tsv. Default: as configured.")
@click.option("--model", help="A preset, a folder or a hub repository.")
@click.option("--backend", type=click.Choice(["auto", "mlx", "ctranslate2"]))
@click.option("--language", help="Its code or English name; otherwise it is detected.")
def transcribe(
    config_path: Path,
    files: tuple[Path, ...],
    output_dir: Path,
    formats: str | None,
    model: str | None,
    backend: str | None,
    language: str | None,
) -> int:
    """Transcribe files now: the same stages as the daemon's, with a progress bar."""
    asked = config_file.load(config_path).model_dump()
    given = {"model": model, "backend": backend, "language": language}
    asked["transcribe"] |= {key: value for key, value in given.items() if value is not None}
    if formats is not None:
        asked["output"]["formats"] = chosen_formats(formats)
    for file in files:
        if not os.path.lexists(file):
            raise UsageError(f"{file}: no such file")
    with tempfile.TemporaryDirectory(prefix="dropscribe-") as temporary:
        ours = one_shot(asked, output_dir, Path(temporary))
        chosen = hardware.choose(ours.transcribe.backend)
        open_logs(ours.paths.logs, echo=False)
        with Application.open(ours, stage_commands(ours, chosen), EventLog()) as application:
            # Named by hand: a symbolic link is meant, as it is not in the inbox.
            found = [candidate(file.resolve()) for file in files]
            present = [one for one in found if one is not None]
            return work(
                application,
                application.context.ledger.admit(present, application.context.unix_time()),
                chosen.why,
            )


def work(application: Application, jobs: Sequence[Job], why: str = "") -> int:
    """Finish `jobs` with a progress bar, and print how each ended; returns the exit code."""
    context = application.context
    with (
        tables.Progress(sys.stderr, len(jobs)) as progress,
        application.stopped_by((signal.SIGINT, signal.SIGTERM)),
    ):
        application.drain(lambda: progress.show(context.attempts.running, context.ledger))
    ended = [job for one in jobs if (job := context.ledger.job(one.id)) is not None]
    for job in ended:
        _report(job, application, why)
    if all(job.next is Stage.DONE for job in ended):
        return OK
    return FAILED if any(job.next is Stage.FAILED for job in ended) else INTERRUPTED


def _report(job: Job, application: Application, why: str) -> None:
    if job.next is Stage.DONE:
        print(
            tables.summary(job.name, application.context.config.paths.outbox, job.stem or "", why)
            + "\n"
        )
    elif job.failure is not None:
        print(f"dropscribe: {job.name}: {job.failure.message}", file=sys.stderr)


def one_shot(asked: Json, outbox: Path, temporary: Path) -> Config:
    """A configuration with a state of its own, which leaves recordings where they are.

    Raises UsageError for what is wrong in it, OSError if `outbox` cannot be made.
    """
    outbox.mkdir(parents=True, exist_ok=True)
    folders = {key: temporary / key for key in ("inbox", "done", "failed", "state", "logs")}
    output = asked["output"] | {"source": "keep"}
    return config_file.validated(
        asked | {"paths": folders | {"outbox": outbox.resolve()}, "output": output}
    )
