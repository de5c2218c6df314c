"""What waits, what is being worked on and what failed, as index.html shows it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.domain.job import Job, Stage
from daemon.files import lock
from daemon.files.state_folder import LEDGER, STATUS
from daemon.ledger.ledger import Ledger

_SHOWN = 20  # of those that wait, and of those that failed


@dataclass(frozen=True, slots=True)
class Running:
    """A recording at work. `share` of the stage in 1/1000; `left` in words, "" if unknown."""

    name: str
    stage: str
    share: int | None
    left: str

    @property
    def percent(self) -> int:
        return (self.share or 0) // 10


@dataclass(frozen=True, slots=True)
class Failed:
    """A recording that lies in failed/, why, and the command that tries it again."""

    name: str
    when: str
    reason: str
    remedy: str


@dataclass(frozen=True, slots=True)
class QueueView:
    """`state` is "idle", "working", "paused" or "stopped", and `reason` why it is paused."""

    state: str
    reason: str
    running: tuple[Running, ...]
    waiting: tuple[str, ...]
    waiting_count: int
    failed: tuple[Failed, ...]
    failed_count: int


def queue_view(state: Path, now: float, stopped: bool = False) -> QueueView | None:
    """From the ledger and status.json in the state folder; None where there is no ledger.

    `now` is Unix time; `stopped` says that no daemon runs (any more). Raises
    sqlite3.Error if the ledger cannot be read.
    """
    if not (state / LEDGER).exists():
        return None
    status = {} if stopped else _status(state)
    with closing(Ledger(state / LEDGER, read_only=True)) as ledger:
        running = tuple(_running(ledger, work, now) for work in status.get("working_on", ()))
        at_work = {work.get("job") for work in status.get("working_on", ())}
        waiting = [job.name for job in ledger.active() if job.id not in at_work]
        counts = ledger.counts()
        failed = ledger.latest(Stage.FAILED, _SHOWN)
    return QueueView(
        state=str(status.get("state", "stopped")),
        reason=str(status.get("reason", "")),
        running=running,
        waiting=tuple(waiting[:_SHOWN]),
        waiting_count=len(waiting),
        failed=tuple(_failed(job) for job in failed),
        failed_count=counts.get(Stage.FAILED, 0),
    )


def is_busy(view: QueueView | None) -> bool:
    """Whether the page will soon be out of date."""
    return view is not None and view.state != "stopped" and bool(view.running or view.waiting)


def _status(state: Path) -> Mapping[str, Any]:
    """What the daemon says of itself; {} if none runs."""
    if not lock.is_held(state):
        return {}
    try:
        found = json.loads((state / STATUS).read_bytes())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _running(ledger: Ledger, work: Mapping[str, Any], now: float) -> Running:
    done, total = float(work.get("done_seconds", 0)), float(work.get("total_seconds", 0))
    stage = str(work.get("stage", ""))
    share = min(1.0, done / total) if total > 0 else None
    began = ledger.record(int(work["job"]), Stage(stage)).started_at
    left = ""
    if share and began and share < 1 and now > began:
        left = _in_words((now - began) * (1 - share) / share)
    return Running(
        str(work.get("name", "")), stage, None if share is None else round(share * 1000), left
    )


def _in_words(seconds: float) -> str:
    if seconds < 60:
        return "less than a minute"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 90 else f"about {round(minutes / 60)} h"


def _failed(job: Job) -> Failed:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.finished_at or job.admitted_at))
    reason = job.failure.message if job.failure else ""
    return Failed(job.name, when, reason, f"dropscribe retry {job.id}")
