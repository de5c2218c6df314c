"""`dropscribe transcribe FILE…`: the same stages for files named by hand, without a daemon."""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from daemon.commands.tables import ProgressBar
from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.job import Job, Stage
from daemon.domain.transcript import Json
from daemon.errors import FAILED, INTERRUPTED, OK, UsageError
from daemon.inbox.scan import candidate
from daemon.models import hardware
from daemon.outbox.summary import table
from daemon.reporting.event_log import EventLog, open_logs
from daemon.supervisor.application import Application, opened, stage_commands


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
    parser.add_argument(
        "-o", "--output-dir", type=Path, default=Path(), metavar="DIR", help="default: this folder"
    )
    parser.add_argument(
        "-f",
        "--formats",
        help="a comma-separated list of txt, srt, vtt, tsv (default: as configured)",
    )
    parser.add_argument("--model", help="a preset, a folder or a hub repository")
    parser.add_argument("--backend", choices=("auto", "mlx", "ctranslate2"))
    parser.add_argument("--language", help="its code; otherwise it is detected")


def _run(arguments: argparse.Namespace) -> int:
    config = config_file.load(arguments.config)
    for file in arguments.files:
        if not os.path.lexists(file):
            raise UsageError(f"{file}: no such file")
    with tempfile.TemporaryDirectory(prefix="dropscribe-") as temporary:
        ours = one_shot(_as_asked(config, arguments), arguments.output_dir, Path(temporary))
        backend = hardware.choose(ours.transcribe.backend)
        open_logs(ours.paths.logs, echo=False)
        with opened(ours, stage_commands(ours, backend), EventLog()) as application:
            # Named by hand: a symbolic link is meant, as it is not in the inbox.
            found = [candidate(file.resolve()) for file in arguments.files]
            present = [one for one in found if one is not None]
            return work(
                application,
                application.context.ledger.admit(present, application.context.unix_time()),
            )


def work(application: Application, jobs: Sequence[Job]) -> int:
    """Finish `jobs` with a progress bar, and print how each ended; returns the exit code."""
    context = application.context
    bar = ProgressBar(sys.stderr, {job.id: job.name for job in jobs})
    with application.stopped_by((signal.SIGINT, signal.SIGTERM)):
        application.drain(lambda: bar.show(context.attempts.running, context.ledger))
    bar.close()
    ended = [job for one in jobs if (job := context.ledger.job(one.id)) is not None]
    for job in ended:
        _report(job, application)
    if all(job.next is Stage.DONE for job in ended):
        return OK
    return FAILED if any(job.next is Stage.FAILED for job in ended) else INTERRUPTED


def _report(job: Job, application: Application) -> None:
    if job.next is Stage.DONE:
        print(table(job.name, application.context.config.paths.outbox, job.stem or "") + "\n")
    elif job.failure is not None:
        print(f"dropscribe: {job.name}: {job.failure.message}", file=sys.stderr)


def _as_asked(config: Config, arguments: argparse.Namespace) -> Json:
    """The user's configuration with what the command line says otherwise."""
    given = {key: getattr(arguments, key) for key in ("model", "backend", "language")}
    transcribe = config.transcribe.model_dump() | {
        key: value for key, value in given.items() if value is not None
    }
    output = config.output.model_dump()
    if arguments.formats is not None:
        output["formats"] = [name.strip() for name in arguments.formats.split(",") if name.strip()]
    return config.model_dump() | {"transcribe": transcribe, "output": output}


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


VERB = Verb("transcribe", "transcribe files now, without the daemon", _arguments, _run)
