"""`dropscribe show JOB`: everything that is known about one file."""

from __future__ import annotations

import contextlib
import datetime
from pathlib import Path

import click

from daemon.commands import tables
from daemon.commands.command_line import command
from daemon.commands.completion import JOB
from daemon.commands.find_job import find_job, folder_of, opened_ledger, real_inbox
from daemon.commands.json_output import print_object
from daemon.commands.status import rows_of
from daemon.config import file as config_file
from daemon.config.settings import Paths
from daemon.domain.job import Job, Stage, StageRecord
from daemon.domain.names import printable
from daemon.domain.transcript import Json
from daemon.errors import OK, DropscribeError
from daemon.files.state_folder import JOBS
from daemon.handoff import artefacts
from daemon.ledger.ledger import Ledger

_STAGES = (Stage.PREPARE, Stage.TRANSCRIBE, Stage.ALIGN, Stage.PUBLISH)


@command(
    examples=[
        ("dropscribe show 12", "job 12"),
        ("dropscribe show talk.mp4 --json", "for programs"),
    ]
)
@click.argument("which", type=JOB, metavar="JOB|NAME|PATH")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def show(config_path: Path, which: str, as_json: bool) -> int:
    """Everything that is known about one file: where it is, what was tried, what came of it."""
    paths = config_file.load(config_path).paths
    with opened_ledger(paths) as ledger:
        if ledger is None:
            raise DropscribeError("no daemon has run here yet: start it with dropscribe install")
        job = find_job(ledger, paths, which)
        facts = _facts(job, ledger, paths)
    if as_json:
        print_object(facts)
        return OK
    for key, value in facts.items():
        if value not in (None, "", [], {}) and key != "stages":
            first, *others = map(printable, map(str, value if isinstance(value, list) else [value]))
            print(tables.row(key, first, 13) if key == "reason" else f"{key:<13}{first}")
            for other in others:
                print(f"{'':<13}{other}")
    for stage, record in facts["stages"].items():
        times = "" if record["starts"] == 1 else f", started {record['starts']} times"
        told = f"{record['exit'] or 'not ended'}{times} {record['reason']}"
        print(tables.row(f"  {stage}", told, 13))
    if job.next is Stage.DONE and job.stem:
        with contextlib.suppress(FileNotFoundError):  # taken out of the outbox
            print(tables.summary("", paths.outbox, job.stem))
    return OK


def _facts(job: Job, ledger: Ledger, paths: Paths) -> Json:
    outputs = tables.outputs(paths.outbox, job.stem) if job.next is Stage.DONE and job.stem else []
    records = ledger.records(job.id, _STAGES)
    log = paths.state / JOBS / str(job.id) / artefacts.LOG
    return {
        "job": job.id,
        "name": job.name,
        "folder": folder_of(job, real_inbox(paths)),
        "next": str(job.next),
        "source": str(job.source),
        "bytes": job.identity.size,
        "admitted_at": _iso(job.admitted_at),
        "finished_at": _iso(job.finished_at) if job.finished_at else None,
        "reason": rows_of([job], paths)[0]["reason"],
        "outputs": [str(path) for path in outputs],
        "log": str(log) if log.exists() else None,
        "stages": {
            str(record.stage): _stage(record, job.next) for record in records if record.starts
        },
    }


def _stage(record: StageRecord, following: Stage) -> Json:
    """`following` is what the job's next step is: delivery, a step of the daemon, has no exit."""
    started, ended = record.started_at, record.ended_at
    delivered = record.stage is Stage.PUBLISH and following is Stage.DONE
    return {
        "starts": record.starts,
        "failures": record.failures,
        "exit": "ok" if delivered else record.exit,
        "reason": record.reason,
        "seconds": round(ended - started, 3) if started and ended else None,
    }


def _iso(seconds: float) -> str:
    moment = datetime.datetime.fromtimestamp(seconds).astimezone()
    return moment.isoformat(timespec="seconds")
