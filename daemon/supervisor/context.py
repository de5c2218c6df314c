"""What the supervisor's parts work with: one set of collaborators, passed in from outside."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from daemon.config.settings import Config
from daemon.files.volumes import Mounts
from daemon.ledger.ledger import Ledger
from daemon.outbox.publisher import Courier
from daemon.processes.attempts import Lanes
from daemon.reporting.event_log import Journal
from daemon.supervisor.pause import Pause


@dataclass(frozen=True, slots=True)
class Tools:
    """Everything that a decision may need. `clock` is monotonic, `wall` is Unix time."""

    config: Config
    ledger: Ledger
    lanes: Lanes
    courier: Courier
    journal: Journal
    pause: Pause
    mounts: Mounts
    jobs: Path  # the folder of job folders
    clock: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time

    def folder(self, job: int) -> Path:
        return self.jobs / str(job)
