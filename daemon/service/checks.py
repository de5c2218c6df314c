"""What could be wrong with the service: not there, out of date, denied what a terminal may do."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from daemon.config.settings import Config
from daemon.errors import UsageError
from daemon.service.finding import Finding
from daemon.service.manager import Host, agent_spec, service_for
from launchd import oneshot
from launchd.agent_spec import MARKER, AgentSpec
from launchd.errors import ServiceError
from launchd.launchctl import Launchctl
from launchd.program import last_lines
from launchd.systemd_unit import unit_text

TEST_LABEL = "local.dropscribe.doctor"
_TEST_SECONDS = 30.0


def inside_the_service(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the service manager started this process."""
    return MARKER in environment


def check_service(config_path: Path, config: Config, host: Host) -> Iterator[Finding]:
    """Look at the service of `host`'s user; never raises for what is found."""
    spec = agent_spec(config_path, config)
    try:
        service = service_for(spec, host)
        installed = service.file.read()
        running = service.running()
    except (ServiceError, UsageError) as error:
        yield Finding("service", "it cannot be looked at", str(error))
        return
    if installed is None:
        yield Finding("service", "not installed: dropscribe install starts it at every login")
        return
    state = "running" if running else "stopped"
    remedy = "" if running else "start it with: dropscribe start"
    yield Finding("service", f"installed and {state} ({service.file.path})", remedy)
    if installed != _wanted(spec, host):
        text = "installed by another version, or for another configuration"
        yield Finding("service", text, "bring it up to date with: dropscribe install")
    if spec.log.is_file() and spec.log.stat().st_size:
        yield Finding("service", f"what it said outside its own log: {last_lines(spec.log, 1)}")


def _wanted(spec: AgentSpec, host: Host) -> bytes:
    return spec.to_bytes() if host.platform == "darwin" else unit_text(spec).encode()


def ask_from_launchd(config_path: Path, config: Config, ctl: Launchctl) -> Iterator[Finding]:
    """What `doctor` finds wrong when launchd runs it: privacy denials show only there.

    `ctl` is for TEST_LABEL, so that no test can touch the service.
    """
    spec = agent_spec(config_path, config)
    spec = replace(spec, program=(*spec.program[:-1], "doctor", "--json"))
    try:
        config.paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
        found = oneshot.ask(spec, ctl, config.paths.state, _TEST_SECONDS)
    except (ServiceError, OSError) as error:
        yield Finding("launchd", "it could not be asked to run a test", str(error))
        return
    checks = [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []
    wrong = [one for one in checks if one.get("remedy")]
    for one in wrong:
        text = f"as the service sees it: {one.get('topic')}: {one.get('text')}"
        yield Finding("launchd", text, _who_to_grant(str(one["remedy"])))
    if not wrong:
        yield Finding("launchd", "a test that it ran found nothing wrong")


def _who_to_grant(remedy: str) -> str:
    """Privacy settings ask for a program, and a virtual environment's python is only a link."""
    if "privacy" not in remedy.lower():
        return remedy
    program = Path(sys.executable).resolve()
    return f"{remedy}, Full Disk Access, + {program}; or choose a folder elsewhere in your home"
