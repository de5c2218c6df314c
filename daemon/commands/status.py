"""`dropscribe status`: what the daemon is doing, what waits, and how the latest files ended."""

from __future__ import annotations

import json
import time
from pathlib import Path

import click

from daemon.commands.command_line import command
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.job import TERMINAL, Job, Stage
from daemon.domain.transcript import Json
from daemon.errors import OK
from daemon.files import lock
from daemon.files.state_folder import LEDGER, REPORT_SUFFIX, STATUS
from daemon.ledger.ledger import Ledger

_RECENT = 10
_WATCH_SECONDS = 1.0


@command(
    examples=[
        ("dropscribe status --watch", "until Ctrl-C"),
        ("dropscribe status --json", "one JSON object"),
    ]
)
@click.option("--json", "as_json", is_flag=True, help="For programs: one object (a line).")
@click.option("--watch", is_flag=True, help="Show it anew every second, until Ctrl-C.")
def status(config_path: Path, as_json: bool, watch: bool) -> int:
    """What is being done, what waits, and how the latest files ended."""
    config = config_file.load(config_path)
    if not watch:
        data = look(config)
        print(json.dumps(data, indent=1) if as_json else _text(data))
    while watch:
        data = look(config)
        print(json.dumps(data) if as_json else _text(data) + "\n", flush=True)
        time.sleep(_WATCH_SECONDS)
    return OK


def look(config: Config) -> Json:
    """Everything that status tells, as JSON values."""
    state = config.paths.state
    running = lock.is_held(state)
    told = _told(state / STATUS) if running else {}
    data: Json = {
        "running": running,
        "state": told.get("state", "starting") if running else "stopped",
        "reason": told.get("reason", ""),
        "daemon": told,
        "waiting": 0,
        "done": 0,
        "failed": 0,
        "jobs": [],
        "folders": {key: str(path) for key, path in config.paths.model_dump().items()},
    }
    if (state / LEDGER).exists():
        ledger = Ledger(state / LEDGER, read_only=True)
        counts = ledger.counts()
        data["waiting"] = sum(number for stage, number in counts.items() if stage not in TERMINAL)
        data["done"] = counts.get(Stage.DONE, 0)
        data["failed"] = sum(1 for _ in config.paths.failed.glob(f"*{REPORT_SUFFIX}"))
        data["jobs"] = [told_of(job) for job in ledger.recent(_RECENT)]
        ledger.close()
    return data


def _told(path: Path) -> Json:
    try:
        told = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def told_of(job: Job) -> Json:
    """One job, as JSON values."""
    return {
        "job": job.id,
        "name": job.name,
        "next": job.next,
        "admitted_at": job.admitted_at,
        "finished_at": job.finished_at,
        "outputs": job.stem if job.next is Stage.DONE else None,
        "reason": job.failure.message if job.failure else "",
    }


def _text(data: Json) -> str:
    reason = f": {data['reason']}" if data["reason"] else ""
    lines = [
        f"{data['state']}{reason}",
        f"{data['waiting']} waiting, {data['done']} done, {data['failed']} failed",
        f"inbox {data['folders']['inbox']}",
    ]
    if data["daemon"].get("watcher") not in (None, "", "off"):
        lines.append(f"watching by rescan only: {data['daemon']['watcher']}")
    for run in data["daemon"].get("working_on", ()):
        done, total = run["done_seconds"], run["total_seconds"]
        share = f" {done / total:.0%}" if total else ""
        lines.append(f"  #{run['job']} {run['name']}: {run['stage']}{share}")
    if data["jobs"]:
        lines.append("latest files:")
    lines += [f"  {line(job)}" for job in data["jobs"]]
    return "\n".join(lines)


def line(told: Json) -> str:
    """The same job for a person."""
    ended = told["outputs"] or told["reason"] or ""
    return f"#{told['job']} {told['name']}: {told['next']}  {ended}".rstrip()
