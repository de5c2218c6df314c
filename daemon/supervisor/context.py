"""What the supervisor's parts work with: one set of collaborators, passed in from outside."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon.config.profile import ProfileError, Profiles
from daemon.config.settings import Config
from daemon.domain.job import Job, Stage
from daemon.files.background import Background
from daemon.files.state_folder import job_folder
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
    background: Background  # where recordings are read or copied beside the loop
    clock: Callable[[], float] = time.monotonic
    unix_time: Callable[[], float] = time.time
    commands: Callable[[Config], Mapping[Stage, Command]] | None = None  # by the settings
    _profiles: Profiles = field(init=False)
    _now: dict[Path, Config] = field(init=False, default_factory=dict)
    _lately: dict[int, Config] = field(init=False, default_factory=dict)
    _lately_until: float = field(init=False, default=-math.inf)

    def use(self, config: Config, commands: Mapping[Stage, Command]) -> None:
        """From now on, these settings hold."""
        self.config = config
        self._profiles = Profiles(config)
        self._now.clear()
        self._lately.clear()
        self.publisher.use(config)
        self.attempts.use(commands)
        self.attempts.remote.use(config, self.clock())

    def __post_init__(self) -> None:
        self._profiles = Profiles(self.config)

    def config_for(self, job: Job) -> Config:
        """The settings with what this recording's profiles say otherwise. Raises ProfileError.

        The profiles are looked for once a turn of the loop.
        """
        if (known := self._now.get(job.source)) is None:
            known = self._now[job.source] = self._profiles.config_for(job.source)
        return known

    def begin_turn(self) -> None:
        """Time has passed: profiles may have changed."""
        self._now.clear()

    def config_where_good(self, job: Job) -> Config:
        """As `config_for`; the plain settings where a profile has just been broken."""
        with contextlib.suppress(ProfileError):
            return self.config_for(job)
        return self.config

    def config_lately(self, job: int) -> Config:
        """As `config_where_good`, as it was within the last second."""
        return self.configs_lately([job])[job]

    def configs_lately(self, jobs: Collection[int]) -> Mapping[int, Config]:
        """Those of these jobs, and perhaps of others: to order many files by them.

        To look for the profiles of all that wait, in each turn of the loop, is dear.
        """
        if (now := self.clock()) >= self._lately_until:
            self._lately.clear()
            self._lately_until = now + 1.0
        for job in [job for job in jobs if job not in self._lately]:
            found = self.ledger.job(job)
            self._lately[job] = self.config_where_good(found) if found else self.config
        return self._lately

    def folder(self, job: int) -> Path:
        return job_folder(self.jobs, job)
