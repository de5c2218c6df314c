"""`dropscribe realign JOB|NAME|PATH`: words again, from the kept transcript."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.commands.find_job import find_job, opened_ledger
from daemon.commands.options import FOLDER
from daemon.commands.transcribe import one_shot, work
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.job import Job, Stage
from daemon.errors import DropscribeError
from daemon.files.atomic import sha256_of
from daemon.files.state_folder import JOBS
from daemon.handoff import artefacts
from daemon.inbox.scan import candidate
from daemon.models import hardware
from daemon.reporting.event_log import EventLog, open_logs
from daemon.supervisor.application import Application, stage_commands


@command(
    examples=[
        ("dropscribe realign 12 -o .", "job 12's words anew, into this folder"),
        ("dropscribe realign talk.mp4 --model jonatasgrosman/wav2vec2-large-xlsr-53-german", ""),
    ]
)
@click.argument("which", metavar="JOB|NAME|PATH")
@click.option("-o", "--output-dir", type=FOLDER, help="Default: the outbox.")
@click.option("--model", default="", help="Another alignment model: a folder or a repository.")
def realign(config_path: Path, which: str, output_dir: Path | None, model: str) -> int:
    """Words again for a finished job, from the kept transcript, without recognition."""
    config = config_file.load(config_path)
    with opened_ledger(config.paths) as ledger:
        job = find_job(
            ledger, config.paths, which, lambda job: job.next is Stage.DONE, "finished job"
        )
    kept = config.paths.state / JOBS / str(job.id)
    recording = _recording(config, job, artefacts.read_prepared(kept).sha256)
    with tempfile.TemporaryDirectory(prefix="dropscribe-") as temporary:
        outbox = output_dir or config.paths.outbox
        align = config.align.model_dump() | {"model": model or config.align.model}
        ours = one_shot(config.model_dump() | {"align": align}, outbox, Path(temporary))
        open_logs(ours.paths.logs, echo=False)
        backend = hardware.choose(config.transcribe.backend)
        with Application.open(ours, stage_commands(ours, backend), EventLog()) as application:
            found = candidate(recording)
            (again,) = application.context.ledger.admit(
                [found] if found else [], application.context.unix_time()
            )
            _hand_over(kept, application.context.folder(again.id))
            # The same bytes as before: after PREPARE, the job goes straight on to ALIGN.
            application.context.ledger.set_digest(again.id, artefacts.read_prepared(kept).sha256)
            return work(application, [again])


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
