"""`dropscribe realign JOB|FILE`: words again, from the kept transcript, without recognition."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from daemon.commands.transcribe import one_shot, work
from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.job import Job, Stage
from daemon.errors import DropscribeError
from daemon.files.atomic import sha256_of
from daemon.files.state_folder import JOBS, LEDGER
from daemon.handoff import artefacts
from daemon.inbox.scan import candidate
from daemon.ledger.ledger import Ledger
from daemon.models import hardware
from daemon.reporting.event_log import EventLog, open_logs
from daemon.supervisor.application import opened, stage_commands


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("which", metavar="JOB|FILE", help="a job's number, or a recording's name")
    parser.add_argument("-o", "--output-dir", type=Path, metavar="DIR", help="default: the outbox")
    parser.add_argument("--model", default="", help="another alignment model")


def _run(arguments: argparse.Namespace) -> int:
    config = config_file.load(arguments.config)
    job = _job(config, arguments.which)
    kept = config.paths.state / JOBS / str(job.id)
    recording = _recording(config, job, artefacts.read_prepared(kept).sha256)
    with tempfile.TemporaryDirectory(prefix="dropscribe-") as temporary:
        outbox = arguments.output_dir or config.paths.outbox
        align = config.align.model_dump() | {"model": arguments.model or config.align.model}
        ours = one_shot(config.model_dump() | {"align": align}, outbox, Path(temporary))
        open_logs(ours.paths.logs, echo=False)
        backend = hardware.choose(config.transcribe.backend)
        with opened(ours, stage_commands(ours, backend), EventLog()) as application:
            found = candidate(recording)
            (again,) = application.context.ledger.admit(
                [found] if found else [], application.context.unix_time()
            )
            _hand_over(kept, application.context.folder(again.id))
            # The same bytes as before: after PREPARE, the job goes straight on to ALIGN.
            application.context.ledger.set_digest(again.id, artefacts.read_prepared(kept).sha256)
            return work(application, [again])


def _job(config: Config, which: str) -> Job:
    """The newest finished job of that number or name."""
    path = config.paths.state / LEDGER
    if path.exists():
        ledger = Ledger(path, read_only=True)
        try:
            for job in _finished(ledger):
                if which.removeprefix("#") in {str(job.id), job.name, job.stem, job.source.name}:
                    return job
        finally:
            ledger.close()
    raise DropscribeError(f"{which}: no such finished job; `dropscribe status` lists the latest")


def _finished(ledger: Ledger) -> Iterator[Job]:
    return (job for job in ledger.recent(1_000_000) if job.next is Stage.DONE)


def _recording(config: Config, job: Job, sha256: str) -> Path:
    """Where the recording is now, proven by its digest: in done/, or where it always was."""
    suffix = job.source.suffix
    archived = sorted(config.paths.done.glob(f"*{suffix}")) if config.paths.done.is_dir() else []
    for path in (job.source, *archived):
        if (
            path.is_file()
            and path.stat().st_size == job.identity.size
            and sha256_of(path) == sha256
        ):
            return path
    raise DropscribeError(f"{job.name}: the recording is neither in done nor in the inbox any more")


def _hand_over(kept: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    for name in (artefacts.TRANSCRIPT, artefacts.SEGMENTS):
        if not (kept / name).exists():
            raise DropscribeError("this job's transcript is no longer kept: transcribe it again")
        shutil.copy(kept / name, folder / name)


VERB = Verb("realign", "words again for a finished job, without transcribing", _arguments, _run)
