"""This daemon as a background service: what the service manager starts, and whether it lives."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Protocol

from daemon.config.settings import Config
from daemon.errors import TemporaryError, UsageError
from daemon.files import lock
from daemon.files.state_folder import STATUS
from launchd.agent_spec import AgentSpec
from launchd.launch_agent import LaunchAgent
from launchd.launchctl import Launchctl
from launchd.own_file import OwnFile
from launchd.program import Alive
from launchd.systemd_unit import SystemdUnit


class Service(Protocol):
    """A LaunchAgent or a systemd unit. All methods raise launchd.errors.ServiceError."""

    @property
    def file(self) -> OwnFile: ...

    def installed(self) -> bool: ...
    def running(self) -> bool: ...
    def install(self, alive: Alive) -> None: ...
    def uninstall(self) -> bool: ...
    def start(self, alive: Alive) -> None: ...
    def stop(self) -> None: ...
    def restart(self, alive: Alive) -> None: ...


@dataclass(frozen=True, slots=True)
class Host:
    """The machine and the user whose service manager is spoken to."""

    platform: str = sys.platform
    uid: int = field(default_factory=os.getuid)
    home: Path = field(default_factory=Path.home)


# Where a shell says that models are kept; a service knows nothing of the shell's settings.
_MODEL_PLACES = ("HF_HOME", "HF_HUB_CACHE", "TORCH_HOME", "XDG_CACHE_HOME")
_GPU_SETTINGS = ("AGX_", "MLX_", "PYTORCH_")  # workarounds for faults of the GPU's driver


def agent_spec(
    config_path: Path, config: Config, environment: Mapping[str, str] = os.environ
) -> AgentSpec:
    """What the service manager runs: this interpreter, this package, that configuration.

    -P keeps the working folder off the module search path.
    """
    return AgentSpec(
        program=(
            *(sys.executable, "-P", "-m", "daemon"),
            *("--config", str(config_path.absolute()), "run"),
        ),
        working_directory=config.paths.state,
        log=config.paths.logs / "launchd.log",
        environment={
            name: value
            for name, value in sorted(environment.items())
            if name in _MODEL_PLACES or name.startswith(_GPU_SETTINGS)
        },
    )


def lend_spec(
    config_path: Path,
    config: Config,
    arguments: Sequence[str],
    folder: Path,
    environment: Mapping[str, str] = os.environ,
) -> AgentSpec:
    """A standing worker of a Dask cluster: `dropscribe lend` with these arguments, in `folder`."""
    spec = agent_spec(config_path, config, environment)
    return replace(
        spec,
        program=(*spec.program[:-1], "lend", *arguments),
        working_directory=folder,
        log=config.paths.logs / "lend.log",
        label=f"{spec.label}.lend",
    )


def service_for(spec: AgentSpec, host: Host) -> Service:
    """The service manager of `host`. Raises UsageError for root on a Mac, who has no session."""
    if host.platform != "darwin":
        return SystemdUnit(spec, host.home / ".config/systemd/user")
    if host.uid == 0:
        raise UsageError("Do not use sudo: the service belongs to you, not to root. Run it as you.")
    return LaunchAgent(spec, host.home / "Library/LaunchAgents", Launchctl(spec.label, host.uid))


@dataclass(frozen=True, slots=True)
class DaemonRun:
    """One run of the daemon, as it says of itself in status.json."""

    pid: int
    started: str


def current_life(state: Path) -> DaemonRun | None:
    """The run that is alive now, None if there is none."""
    try:
        status = json.loads((state / STATUS).read_bytes())
        life = DaemonRun(int(status["pid"]), str(status["started"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return life if lock.is_held(state) else None  # a pid may be another process's by now


def new_life(state: Path) -> Alive:
    """Tells whether a run is alive that is not the one of this moment."""
    before = current_life(state)
    return lambda: current_life(state) not in {None, before}


def refuse_a_second_daemon(state: Path, service: Service) -> None:
    """Raises TemporaryError if a daemon that the service manager does not know is at work."""
    if lock.is_held(state) and not service.running():
        raise TemporaryError(
            "dropscribe is already running outside the service, perhaps in a terminal. "
            "Stop it there first, then try again."
        )
