"""Jobs through the real supervisor in this process, with stages that are real or fake."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.config.settings import Config
from daemon.domain.job import Job, Stage, StageRecord
from daemon.inbox.scan import candidate
from daemon.ledger.ledger import Ledger
from daemon.processes.attempts import Attempts
from daemon.reporting.event_log import EventLog, open_logs
from daemon.supervisor.application import Application, Commands
from tests.kit.daemon_process import Tables, configured

Json = dict[str, Any]
RECORDING = b"One two three.\nFour five.\n"


@dataclass(frozen=True)
class JobEnd:
    """What became of a recording."""

    config: Config
    job: Job
    records: dict[Stage, StageRecord]
    events: list[Json]

    def _load(self, folder: Path, name: str) -> Json:
        found: Json = json.loads((folder / name).read_bytes())
        return found

    @property
    def document(self) -> Json:
        return self._load(self.config.paths.outbox, f"{self.job.stem}.json")

    @property
    def timing(self) -> Json:
        return self._load(self.config.paths.outbox, f"{self.job.stem}.timing.json")

    @property
    def error(self) -> Json:
        return self._load(self.config.paths.failed, f"{self.job.source.name}.error.json")

    def told(self, kind: str) -> list[Json]:
        return [event for event in self.events if event["event"] == kind]


def run_one(
    root: Path,
    commands: Commands,
    tables: Tables | None = None,
    on_turn: Callable[[Attempts], None] = lambda _: None,
) -> JobEnd:
    """One recording from the inbox to its end."""
    (ended,) = run_all(root, {"memo.wav": RECORDING}, commands, tables, on_turn).values()
    return ended


def run_all(
    root: Path,
    recordings: Mapping[str, bytes],
    commands: Commands,
    tables: Tables | None = None,
    on_turn: Callable[[Attempts], None] = lambda _: None,
) -> dict[str, JobEnd]:
    """All of these recordings, by name, from the inbox to their ends."""
    config = configured(root, tables or {})
    config.paths.inbox.mkdir(parents=True)
    for name, content in recordings.items():
        (config.paths.inbox / name).write_bytes(content)
    open_logs(config.paths.logs, echo=False)
    mask = os.umask(0o077)
    try:
        with Application.open(config, commands, EventLog()) as application:
            context = application.context
            found = [candidate(config.paths.inbox / name) for name in recordings]
            jobs = context.ledger.admit([one for one in found if one], context.unix_time())
            application.drain(lambda: on_turn(context.attempts))
            return {
                job.source.name: _end(config, context.ledger, job.id, _events(config, job))
                for job in jobs
            }
    finally:
        os.umask(mask)


def _end(config: Config, ledger: Ledger, number: int, events: list[Json]) -> JobEnd:
    job = ledger.job(number)
    assert job is not None
    return JobEnd(config, job, {stage: ledger.record(number, stage) for stage in Stage}, events)


def _events(config: Config, job: Job) -> list[Json]:
    """What the log says of this job, and of none."""
    lines = (config.paths.logs / "events.jsonl").read_bytes().splitlines()
    events = [json.loads(line) for line in lines]
    return [event for event in events if event.get("job") in {None, job.id}]
