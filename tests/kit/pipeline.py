"""Jobs through the real supervisor in this process, with stages that are real or fake."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daemon.config.settings import Config
from daemon.domain.job import Job, Stage, StageRecord
from daemon.inbox.scan import candidate
from daemon.processes.attempts import Attempts
from daemon.reporting.event_log import EventLog, open_logs
from daemon.supervisor.application import Application, Commands
from tests.kit.daemon_process import Tables, configured

Json = dict[str, Any]


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
    config = configured(root, tables or {})
    config.paths.inbox.mkdir(parents=True)
    source = config.paths.inbox / "memo.wav"
    source.write_bytes(b"a recording")
    open_logs(config.paths.logs, echo=False)
    mask = os.umask(0o077)
    try:
        with Application.open(config, commands, EventLog()) as application:
            found = candidate(source)
            assert found is not None
            (job,) = application.context.ledger.admit([found], application.context.unix_time())
            application.drain(lambda: on_turn(application.context.attempts))
            ended = application.context.ledger.job(job.id)
            assert ended is not None
            records = {stage: application.context.ledger.record(job.id, stage) for stage in Stage}
    finally:
        os.umask(mask)
    lines = (config.paths.logs / "events.jsonl").read_bytes().splitlines()
    return JobEnd(config, ended, records, [json.loads(line) for line in lines])
