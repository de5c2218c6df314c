"""`dropscribe realign JOB|NAME|PATH`: words again, from the kept transcript."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path

import click

from daemon.commands import tables
from daemon.commands.command_line import command
from daemon.commands.completion import JOB
from daemon.commands.find_job import find_job, opened_ledger
from daemon.commands.options import FOLDER
from daemon.commands.transcribe import Shown, one_shot, work
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.config.table import as_json
from daemon.domain.job import Job, Stage
from daemon.domain.transcript import AlignmentStatus
from daemon.errors import OK, DropscribeError
from daemon.files.atomic import sha256_of, write_atomically
from daemon.files.state_folder import JOBS, TIMING_SUFFIX
from daemon.handoff import artefacts
from daemon.inbox.scan import candidate
from daemon.models import hardware
from daemon.models.requirements import require_aligner
from daemon.outbox import placing
from daemon.reporting.event_log import EventLog, open_logs
from daemon.supervisor.application import Application, stage_commands

_NO_LONGER_KEPT = "this job's transcript is no longer kept: transcribe it again"


@command(
    examples=[
        ("dropscribe realign 12 -o .", "job 12's words anew, into this folder"),
        ("dropscribe realign talk.mp4 --force", "in place of those in the outbox"),
    ]
)
@click.argument("which", type=JOB, metavar="JOB|NAME|PATH")
@click.option("-o", "--output-dir", "--output_dir", type=FOLDER, help="Default: the outbox.")
@click.option("--model", help="Another alignment model: a folder or a repository.")
@click.option("--force", is_flag=True, help="Replace the delivered files.")
def realign(
    config_path: Path, which: str, output_dir: Path | None, model: str | None, force: bool
) -> int:
    """Words again for a finished job, from the kept transcript, without recognition."""
    config = config_file.load(config_path)
    with opened_ledger(config.paths) as ledger:
        job = find_job(
            ledger, config.paths, which, lambda job: job.next is Stage.DONE, "finished job"
        )
    kept = config.paths.state / JOBS / str(job.id)
    sha256, tracks = _kept_of(kept)
    recording = find_recording(config, job, sha256)
    with tempfile.TemporaryDirectory(prefix="dropscribe-") as name:
        made = Path(name) / "outbox"
        align = as_json(config.align) | {"enabled": True, "model": model or config.align.model}
        decoded_as = {"audio": {"tracks": tracks}}
        ours = one_shot(as_json(config) | {"align": align} | decoded_as, made, Path(name))
        backend = hardware.choose(config.transcribe.backend)
        require_aligner(ours, os.environ)
        open_logs(ours.paths.logs, echo=False)
        with Application.open(ours, stage_commands(ours, backend), EventLog()) as application:
            context = application.context
            found = candidate(_under_its_name(recording, job, Path(name)))
            (again,) = context.ledger.admit([found] if found else [], context.unix_time())
            _hand_over(kept, context.folder(again.id))
            # The same bytes as before: after PREPARE, the job goes straight on to ALIGN.
            context.ledger.set_digest(again.id, sha256)
            code = work(application, [again], Shown(made, quiet=True))
        if code != OK:
            return code
        beside = (config.paths.outbox / (job.stem or "")).parent
        return _deliver(made, output_dir or beside, job, force)


def _deliver(made: Path, target: Path, job: Job, force: bool) -> int:
    """Move the outputs to where they belong; nothing of a failed alignment is delivered."""
    documents = [path for path in made.glob("*.json") if not path.name.endswith(TIMING_SUFFIX)]
    document = min(documents, key=lambda path: len(path.name))  # others are further tracks'
    stem = document.name.removesuffix(f".{placing.JSON}")
    alignment = json.loads(document.read_bytes())["alignment"]
    if alignment["status"] == AlignmentStatus.FAILED or not alignment["model"]:  # or none was tried
        raise DropscribeError(f"{job.name}: no words could be aligned: {alignment['reason']}")
    target.mkdir(parents=True, exist_ok=True)
    files = {path.name.removeprefix(f"{stem}."): path for path in made.iterdir()}
    wanted = Path(job.stem).name if job.stem else stem
    if force:
        for suffix, path in files.items():
            write_atomically(target / f"{wanted}.{suffix}", path.read_bytes())
    else:
        wanted = placing.StemIndex(target).free_stem(wanted, lambda name: False)
        placing.publish(target, wanted, files)
    print(tables.summary(job.name, target, wanted))
    return OK


def _under_its_name(recording: Path, job: Job, temporary: Path) -> Path:
    """The outputs bear the name of the job's file, whatever the same bytes are called now."""
    if recording.name == job.source.name:
        return recording
    link = temporary / job.source.name
    try:
        os.link(recording, link)
    except OSError:  # on another disk
        shutil.copyfile(recording, link)
    return link


def find_recording(config: Config, job: Job, sha256: str) -> Path:
    """Where the recording is now, proven by its digest: where it always was, or in done/."""
    archived = sorted(config.paths.done.rglob("*")) if config.paths.done.is_dir() else []
    for path in (job.source, config.paths.done / job.source.name, *archived):
        if (
            path.is_file()
            and path.stat().st_size == job.identity.size
            and sha256_of(path) == sha256
        ):
            return path
    raise DropscribeError(f"{job.name}: the recording is neither in done nor in the inbox any more")


def _kept_of(folder: Path) -> tuple[str, str]:
    """The recording's SHA-256, and which of its tracks were transcribed."""
    try:
        return artefacts.read_prepared(folder).sha256, artefacts.JobRequest.read(folder).tracks
    except (artefacts.InvalidArtefactError, OSError, ValueError, KeyError, TypeError) as error:
        raise DropscribeError(_NO_LONGER_KEPT) from error


def _hand_over(kept: Path, folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    if (kept / artefacts.OPTIONS).exists():
        shutil.copy(kept / artefacts.OPTIONS, folder / artefacts.OPTIONS)
    for name in (artefacts.TRANSCRIPT, artefacts.SEGMENTS):
        if not (kept / name).exists():
            raise DropscribeError(_NO_LONGER_KEPT)
        shutil.copy(kept / name, folder / name)
