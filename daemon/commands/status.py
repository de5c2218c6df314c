"""`dropscribe status`: what the daemon is doing, what waits, and how the latest files ended."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec.structs import asdict

from daemon.commands.command_line import command
from daemon.commands.estimate import Estimate, duration_of, learn
from daemon.commands.find_job import folder_of, opened_ledger, real_inbox, titled
from daemon.commands.json_output import print_line, print_object
from daemon.commands.silence import why_silent
from daemon.config import file as config_file
from daemon.config.default_model import about_small_memory
from daemon.config.settings import Config, Paths
from daemon.domain.job import TERMINAL, Job, Stage
from daemon.domain.names import printable
from daemon.errors import FAILED, OK, TEMPORARY, DropscribeError
from daemon.files import lock
from daemon.files.answering import answer_within
from daemon.files.state_folder import REPORT_SUFFIX, STATUS
from daemon.inbox.scan import left_alone
from daemon.ledger.ledger import Ledger
from daemon.models import hardware, registry
from daemon.models.requirements import unmet

if TYPE_CHECKING:
    from daemon.domain.transcript import Json

_RECENT = 10
_WIDEST = 120  # columns: in a wider table, the eye loses the row
_WATCH_SECONDS = 1.0
_FOLDER_SECONDS = 3.0
_SMALL = 20_000  # bytes of a transcript without segments, with room for chapters and tags
# Jobs at these stages were read: how long they are is known. Thousands may wait to be.
_READ = [stage for stage in Stage if stage not in TERMINAL and stage is not Stage.PREPARE]
_EXIT_CODES = {"stopped": FAILED, "paused": TEMPORARY, "silent": TEMPORARY}


@command(
    examples=[
        ("dropscribe status --watch", "until Ctrl-C"),
        ("dropscribe status --json", "one JSON object"),
        ("dropscribe status --exit-code", "0 running, 1 stopped, 75 paused"),
    ]
)
@click.option("--json", "as_json", is_flag=True, help="For programs: one object (a line).")
@click.option("--watch", is_flag=True, help="Show it anew every second, until Ctrl-C.")
@click.option(
    "--exit-code", "tell", is_flag=True, help="End with 1 if stopped, 75 if paused or silent."
)
def status(config_path: Path, as_json: bool, watch: bool, tell: bool) -> int:
    """What is being done, what waits, and how the latest files ended."""
    config = config_file.load(config_path)
    if watch and sys.stdout.isatty() and not as_json:
        return _watch(config)
    while True:
        data = look(config)
        if not as_json:
            _print(data)
        elif watch:
            print_line(data)
        else:
            print_object(data)
        if not watch:
            return _EXIT_CODES.get(data["state"], OK) if tell else OK
        time.sleep(_WATCH_SECONDS)


def look(config: Config) -> Json:
    """Everything that status tells, as JSON values."""
    state = config.paths.state
    running = lock.is_held(state)
    daemon = _daemon(state / STATUS) if running else {}
    silent = why_silent(daemon, config.watch.rescan_seconds)
    data: Json = {
        "running": running,
        "state": _state(daemon, silent) if running else "stopped",
        "reason": silent or daemon.get("reason", "") if running else _would_wait_for(config),
        "daemon": daemon,
        "waiting": 0,
        "done": 0,
        "failed": 0,
        "eta_seconds": None,
        "left_alone": _left_alone(config),
        "jobs": [],
        "stand_in": _stand_in(config),
        "model": config.transcribe.model,
        "about_model": about_small_memory(config.transcribe.model),
        "folders": {key: str(path) for key, path in asdict(config.paths).items()},
    }
    with opened_ledger(config.paths) as ledger:
        if ledger is not None:
            data |= _queue(config, ledger, daemon)
    return data


def _state(daemon: Json, silent: str) -> str:
    return "silent" if silent else daemon.get("state", "starting")


def _queue(config: Config, ledger: Ledger, daemon: Json) -> Json:
    state = config.paths.state
    estimate = learn(ledger, state)
    counts, inbox = ledger.counts(), real_inbox(config.paths)
    working = daemon.get("working_on", [])
    for row in working:
        left = estimate.left(Stage(row["stage"]), row["done_seconds"], row["total_seconds"])
        row["eta_seconds"] = None if left is None else round(left, 1)
        job = ledger.job(row["job"])
        row["folder"] = folder_of(job, inbox) if job else ""
        row["speed"] = round(estimate.rates.get(Stage(row["stage"]), 0.0), 2) or None
    busy = {row["job"] for row in working}
    later = (number for stage in _READ for number in ledger.waiting(stage) if number not in busy)
    waiting = [job for number in later if (job := ledger.job(number)) is not None]
    return {
        "waiting": sum(number for stage, number in counts.items() if stage not in TERMINAL),
        "done": counts.get(Stage.DONE, 0),
        "failed": _count(lambda: sum(1 for _ in config.paths.failed.rglob(f"*{REPORT_SUFFIX}"))),
        "eta_seconds": _eta(working, waiting, estimate, state),
        "jobs": rows_of(ledger.recent(_RECENT), config.paths),
    }


def _eta(working: list[Json], waiting: list[Job], estimate: Estimate, state: Path) -> float | None:
    """Until everything is done whose length is known; None if that is not known for anything."""
    at_work = [row["eta_seconds"] for row in working if row["eta_seconds"] is not None]
    later = [
        seconds
        for job in waiting
        if (audio := duration_of(state, job)) and (seconds := estimate.seconds(job.next, audio))
    ]
    return round(max(at_work, default=0.0) + sum(later), 1) if at_work or later else None


def _left_alone(config: Config) -> int:
    """How many files and folders in the inbox are no recordings by their names."""
    inbox, watch = config.paths.inbox, config.watch
    return _count(lambda: left_alone(inbox, watch.extensions, watch.recursive))


def _count(files: Callable[[], int]) -> int:
    """0 where the folder is not there, or does not answer: the status is there to say why."""
    with contextlib.suppress(OSError):
        return answer_within(_FOLDER_SECONDS, files)
    return 0


def _would_wait_for(config: Config) -> str:
    """What a daemon that is started now would wait for; empty if for nothing."""
    try:
        backend = hardware.choose(config.transcribe.backend)
        return "; ".join(f"{key}: {text}" for key, text in unmet(config, backend.name, os.environ))
    except DropscribeError as error:
        return str(error)


def _stand_in(config: Config) -> str:
    """Which model stands in for the one that is wanted; empty where none does."""
    with contextlib.suppress(DropscribeError):
        backend = hardware.choose(config.transcribe.backend)
        weights = registry.find_or_stand_in(
            config.transcribe.model, backend.name, os.environ, config.transcribe.stand_in
        )
        if weights.stands_in_for:
            return registry.about_stand_in(weights)
    return ""


def _daemon(path: Path) -> Json:
    try:
        fields = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return fields if isinstance(fields, dict) else {}


def rows_of(jobs: Sequence[Job], paths: Paths) -> list[Json]:
    """The jobs as JSON values; why transcripts are empty is left out if the outbox is blocked."""
    inbox = real_inbox(paths)
    with contextlib.suppress(OSError):
        return answer_within(
            _FOLDER_SECONDS, lambda: [_row(job, inbox, paths.outbox) for job in jobs]
        )
    return [_row(job, inbox, None) for job in jobs]


def _row(job: Job, inbox: Path, outbox: Path | None) -> Json:
    is_done, reason = job.next is Stage.DONE, ""
    if is_done and job.stem is None:
        reason = "the same recording was delivered before"
    elif is_done and outbox:
        reason = _without_text(outbox / f"{job.stem}.json")
    return {
        "job": job.id,
        "name": job.name,
        "folder": folder_of(job, inbox),
        "next": job.next,
        "admitted_at": job.admitted_at,
        "finished_at": job.finished_at,
        "outputs": job.stem if is_done else None,
        "reason": job.failure.message if job.failure else reason,
    }


def _without_text(document: Path) -> str:
    """Why a delivered transcript is empty; "" if it is not. Only a small file can be."""
    try:
        if document.stat().st_size > _SMALL:
            return ""
        content = json.loads(document.read_bytes())
        return "" if content["segments"] else str(content["alignment"]["reason"])
    except (OSError, ValueError, KeyError, TypeError):
        return ""


def line(fields: Mapping[str, object]) -> str:
    """The same job for a person."""
    told = (printable(str(fields[key])) for key in ("outputs", "reason") if fields[key])
    ended = "  ".join(told)
    name = titled(str(fields["folder"]), str(fields["name"]))
    return printable(f"#{fields['job']} {name}: {fields['next']}  {ended}".rstrip())


def _print(data: Json) -> None:
    if sys.stdout.isatty():
        from rich.console import Console  # noqa: PLC0415 - heavy, and only for a terminal

        from daemon.commands.status_view import view  # noqa: PLC0415

        console = Console()
        console.print(view(data), width=min(console.width, _WIDEST))
        return
    print("\n".join(_lines(data)))


def _watch(config: Config) -> int:
    """On the terminal's other screen, so that what was there before comes back."""
    from rich.live import Live  # noqa: PLC0415 - heavy, and only for a terminal

    from daemon.commands.status_view import view  # noqa: PLC0415

    with Live(view(look(config)), screen=True, auto_refresh=False) as live:
        while True:
            time.sleep(_WATCH_SECONDS)
            live.update(view(look(config)), refresh=True)


def _lines(data: Json) -> list[str]:
    """For a pipe: plain, and each fact in a line of its own."""
    reason = f": {data['reason']}" if data["reason"] else ""
    lines = [
        f"{data['state']}{reason}",
        f"{data['waiting']} waiting, {data['done']} done, {data['failed']} failed",
        f"inbox {data['folders']['inbox']}",
    ]
    if data["left_alone"]:
        lines.append(f"{data['left_alone']} left alone in the inbox (dropscribe inbox says why)")
    lines.extend(filter(None, (data["stand_in"], data["about_model"])))
    if data["daemon"].get("watcher") not in (None, "", "off"):
        lines.append(f"watching by rescan only: {data['daemon']['watcher']}")
    for file in data["daemon"].get("inbox", ()):
        lines.append(f"  {file['name']} waits: {file['reason']}")
    for file in data["daemon"].get("hanging", ()):
        lines.append(f"  {file['name']}: {file['reason']}")
    for row in data["daemon"].get("working_on", ()):
        if row.get("waiting"):
            continue
        done, total = row["done_seconds"], row["total_seconds"]
        share = f" {done / total:.0%}" if total else ""
        name = titled(row.get("folder", ""), row["name"])
        lines.append(f"  #{row['job']} {name}: {row['stage']}{share}")
    if data["jobs"]:
        lines.append("latest files:")
    return lines + [f"  {line(job)}" for job in data["jobs"]]
