"""`dropscribe transcribe FILE…`: the same stages for files named by hand, without a daemon."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from daemon.commands import tables
from daemon.commands.command_line import command
from daemon.commands.completion import FILE
from daemon.commands.json_output import print_line
from daemon.commands.options import FOLDER
from daemon.commands.sources import recordings
from daemon.commands.whisper_options import left_out, name_left_out, named_as_given, settings
from daemon.config import file as config_file
from daemon.config.settings import SPEAKER_MODES, Config
from daemon.domain.job import Job, Stage
from daemon.domain.transcript import Json
from daemon.errors import FAILED, INTERRUPTED, OK, UsageError
from daemon.inbox.scan import candidate
from daemon.models import hardware
from daemon.models.requirements import require
from daemon.reporting.event_log import EventLog, open_logs
from daemon.supervisor.application import Application, stage_commands


@command(
    examples=[
        ("dropscribe transcribe talk.mp4 -o .", "text, subtitles and JSON, into this folder"),
        ("dropscribe transcribe recordings -f srt -o out", "a folder, its sub-folders included"),
        ("dropscribe transcribe talk.m4a --language German --stdout", "print the text alone"),
        ("dropscribe transcribe interview.mp3 --task translate", "into English"),
        ("dropscribe transcribe - --stdout --model small", "what comes through a pipe"),
    ]
)
@click.argument("files", nargs=-1, required=True, type=FILE, metavar="FILE|FOLDER|-|URL...")
@click.option("-o", "--output-dir", "--output_dir", type=FOLDER, help="Default: this folder.")
@click.option(
    "-f",
    "--formats",
    "--output-format",
    "--output_format",
    "formats",
    help="Such as txt,srt,vtt, or all. The JSON is always written. Default: as configured.",
)
@click.option("--model", help="A preset (large-v3, turbo, small …), a folder or a repository.")
@click.option("--backend", type=click.Choice(["auto", "mlx", "ctranslate2"]))
@click.option("--language", help="Its code or English name; otherwise it is detected.")
@click.option("--initial-prompt", "--initial_prompt", help="Names and jargon, for their spelling.")
@click.option("--hotwords", help="Words to expect, as in faster-whisper.")
@click.option("--align-model", "--align_model", help="A folder or a repository.")
@click.option("--speakers", type=click.Choice(SPEAKER_MODES), help="Who speaks when.")
@click.option(
    "--speaker-count", type=click.IntRange(1, 100), metavar="N", help="How many, if it is known."
)
@click.option("--no-align", "--no_align", is_flag=True, help="Segments only, no word times.")
@click.option("--word-timestamps", "--word_timestamps", type=bool, help="False is --no-align.")
@click.option(
    "--task",
    type=click.Choice(["transcribe", "translate"]),
    help="translate: into English, without word times.",
)
@click.option(
    "--beam-size",
    "--beam_size",
    type=click.IntRange(1, 10),
    metavar="N",
    help="Follow N ways to hear the speech at once: slower.",
)
@click.option("--diarize", is_flag=True, help="Who speaks: labels on segments and words.")
@click.option(
    "--min-speakers",
    "--min_speakers",
    type=click.IntRange(min=1),
    metavar="N",
    help="At least so many.",
)
@click.option(
    "--max-speakers",
    "--max_speakers",
    type=click.IntRange(min=1),
    metavar="N",
    help="At most so many.",
)
@click.option("--max-line-width", "--max_line_width", type=click.IntRange(1, 200), hidden=True)
@click.option("--max-line-count", "--max_line_count", type=click.IntRange(1, 4), hidden=True)
@click.option("--stdout", is_flag=True, help="Print the text; write files only with -o.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a file, for programs.")
@click.option("-q", "--quiet", is_flag=True, help="Print nothing about what went well.")
@left_out
def transcribe(
    config_path: Path,
    files: tuple[str, ...],
    output_dir: Path | None,
    stdout: bool,
    as_json: bool,
    quiet: bool,
    **wanted: Any,  # noqa: ANN401 - the options that stand for settings
) -> int:
    """Transcribe files now: the same stages as the daemon's, with a progress bar."""
    with tempfile.TemporaryDirectory(prefix="dropscribe-") as name:
        temporary = Path(name)
        asked = settings(config_file.load(config_path), wanted)
        name_left_out()
        outbox = output_dir or (temporary / "outbox" if stdout else Path())
        with named_as_given(wanted):
            ours = one_shot(asked, outbox, temporary)
            backend = hardware.choose(ours.transcribe.backend)
            require(ours, backend.name, os.environ)
        found, problems = recordings(files, ours.watch.extensions, temporary)
        looks = {file: candidate(file) for file in found}
        problems += [f"{file}: it is not there any more" for file in found if not looks[file]]
        for problem in problems:
            click.echo(f"dropscribe: {problem}", err=True)
        present = [look for look in looks.values() if look is not None]
        if not present:
            raise UsageError("there is nothing to transcribe")
        open_logs(ours.paths.logs, echo=False)
        with Application.open(ours, stage_commands(ours, backend), EventLog()) as application:
            context = application.context
            jobs = context.ledger.admit(present, context.unix_time())
            kept = not stdout or output_dir is not None
            shown = Shown(ours.paths.outbox, backend.why, stdout, as_json, quiet, kept)
            return max(work(application, jobs, shown), FAILED if problems else OK)


@dataclass(frozen=True, slots=True)
class Shown:
    """What is printed of each file that is done."""

    outbox: Path
    why: str = ""  # the backend was chosen
    text: bool = False
    as_json: bool = False
    quiet: bool = False
    kept: bool = True  # whether the outputs stay when the command has ended

    def delivered(self, job: Job) -> None:
        document, timing = tables.read_delivery(self.outbox, job.stem or "")
        if self.as_json:
            outputs = tables.outputs(self.outbox, job.stem or "") if self.kept else []
            fields = ("language", "duration", "alignment")
            answer: Json = {"file": str(job.source), "status": "done"}
            answer |= {"outputs": [str(path) for path in outputs], "reason": ""}
            answer |= {key: document[key] for key in fields} | {"speed": timing["speed"]}
            print_line(answer | ({"text": document["text"]} if self.text else {}))
        elif self.text:
            print("\n".join(segment["text"].strip() for segment in document["segments"]))
        elif not self.quiet:
            print(tables.summary(job.name, self.outbox, job.stem or "", self.why) + "\n")

    def failed(self, job: Job) -> None:
        reason = job.failure.message if job.failure else "it was stopped"
        if self.as_json:
            answer = {"file": str(job.source), "status": "failed"}
            print_line(answer | {"outputs": [], "reason": reason})
        click.echo(f"dropscribe: {job.name}: {reason}", err=True)


def work(application: Application, jobs: Sequence[Job], shown: Shown) -> int:
    """Finish `jobs` with a progress bar, and print how each ended; returns the exit code."""
    context = application.context
    with (
        tables.Progress(sys.stderr, len(jobs)) as progress,
        application.stopped_by((signal.SIGINT, signal.SIGTERM)),
    ):
        application.drain(lambda: progress.show(context.attempts.running, context.ledger))
    ended = [job for given in jobs if (job := context.ledger.job(given.id)) is not None]
    for job in ended:
        if job.next is Stage.DONE:
            shown.delivered(job)
        elif job.next is Stage.FAILED:
            shown.failed(job)
    if all(job.next is Stage.DONE for job in ended):
        return OK
    if any(job.next is not Stage.DONE and job.next is not Stage.FAILED for job in ended):
        left = [job.name for job in ended if job.next not in (Stage.DONE, Stage.FAILED)]
        click.echo(f"dropscribe: stopped before the end: {', '.join(left)}", err=True)
        return INTERRUPTED
    return FAILED


def one_shot(asked: Json, outbox: Path, temporary: Path) -> Config:
    """A configuration with a state of its own, which leaves recordings where they are.

    Raises UsageError for what is wrong in it, OSError if `outbox` cannot be made.
    """
    outbox.mkdir(parents=True, exist_ok=True)
    folders = {key: temporary / key for key in ("inbox", "done", "failed", "state", "logs")}
    output = asked["output"] | {"source": "keep", "index": False}
    return config_file.validated(
        asked | {"paths": folders | {"outbox": outbox.resolve()}, "output": output},
        "the command line",
    )
