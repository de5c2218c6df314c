"""What the supervisor's parts work with: one set of collaborators, passed in from outside."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from daemon.config.settings import Config
from daemon.domain.job import Stage
from daemon.files.volumes import Mounts
from daemon.ledger.ledger import Ledger
from daemon.outbox.publisher import Publisher
from daemon.processes.attempts import Attempts
from daemon.processes.pool import Command
from daemon.reporting.event_log import EventLog
from daemon.supervisor.pause import Pause


@dataclass(slots=True)
class Context:
    """Everything that a decision may need. `clock` is monotonic, `unix_time` is Unix time.

    `config` may be replaced while the daemon runs: read a setting when it is used.
    """

    config: Config
    ledger: Ledger
    attempts: Attempts
    publisher: Publisher
    event_log: EventLog
    pause: Pause
    mounts: Mounts
    jobs: Path  # the folder of job folders
    clock: Callable[[], float] = time.monotonic
    unix_time: Callable[[], float] = time.time

    def use(self, config: Config, commands: Mapping[Stage, Command]) -> None:
        """From now on, these settings hold."""
        self.config = config
        self.publisher.config = config
        self.attempts.use(commands)

    def folder(self, job: int) -> Path:
        return self.jobs / str(job)
