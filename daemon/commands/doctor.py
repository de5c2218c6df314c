"""`dropscribe doctor`: what could keep a recording from being transcribed, each with its remedy."""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

from daemon import __version__
from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.errors import FAILED, OK, DropscribeError
from daemon.files import lock
from daemon.files.faults import explain
from daemon.files.state_folder import TEMP_PREFIX
from daemon.models import hardware, registry
from daemon.service.checks import TEST_LABEL, ask_from_launchd, check_service, inside_the_service
from daemon.service.finding import Finding
from daemon.service.manager import Host
from launchd.launchctl import Launchctl


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="for programs")


def _run(arguments: argparse.Namespace) -> int:
    findings = examine(config_file.load(arguments.config), arguments.config)
    if arguments.json:
        print(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            print(f"{'ok ' if finding.well else 'BAD'}  {finding.topic:<12} {finding.text}")
            if not finding.well:
                print(f"     {'':<12} → {finding.remedy}")
    return OK if all(finding.well for finding in findings) else FAILED


def examine(config: Config, path: Path) -> list[Finding]:
    """Look at everything; never raises for what it finds."""
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: _environment(path),
        lambda: _backend(config),
        lambda: _folders(config),
        lambda: _disk(config),
        lambda: _running(config),
        lambda: _service(config, path, Host()),
    )
    return [finding for check in checks for finding in check()]


def _environment(path: Path) -> Iterator[Finding]:
    system = f"{platform.system()} {platform.release()} on {platform.machine()}"
    python = f"Python {platform.python_version()} ({sys.executable})"
    yield Finding("version", f"dropscribe {__version__}, {python}, {system}")
    where = str(path) if path.exists() else f"{path} (not there: every default is in force)"
    yield Finding("config", where)


def _backend(config: Config) -> Iterator[Finding]:
    try:
        backend = hardware.choose(config.transcribe.backend)
    except DropscribeError as error:
        yield Finding("backend", "the wanted backend is missing", str(error))
        return
    yield Finding("backend", f"{backend.name} on {backend.device}: {backend.why}")
    automatic = hardware.choose("auto")
    if automatic.name != backend.name:
        yield Finding("backend", f"auto would choose {automatic.name} on {automatic.device}")
    try:
        weights = registry.find(config.transcribe.model, backend.name, os.environ)
    except DropscribeError as error:
        yield Finding("model", f"{config.transcribe.model} is missing", str(error))
        return
    yield Finding("model", f"{weights.name} in {weights.folder}")
    if weights.name == registry.DEMO:
        yield Finding("model", "demo understands synthetic speech only: not for real recordings")


def _folders(config: Config) -> Iterator[Finding]:
    for key, folder in config.paths.model_dump().items():
        if not os.path.lexists(folder):
            yield Finding(key, f"{folder} will be made when the daemon starts")
            continue
        try:
            with tempfile.TemporaryFile(dir=folder, prefix=TEMP_PREFIX):
                pass
            next(iter(folder.iterdir()), None)
        except OSError as error:
            yield Finding(key, str(folder), explain(error))
        else:
            yield Finding(key, f"{folder} is writable")


def _disk(config: Config) -> Iterator[Finding]:
    floor = config.limits.min_free_mb
    for key in ("state", "outbox"):
        folder = getattr(config.paths, key)
        if not folder.exists():
            continue
        free = shutil.disk_usage(folder).free // 1_000_000
        remedy = "" if free >= floor else f"free some space: work pauses below {floor} MB"
        yield Finding("disk", f"{free} MB free for {key}", remedy)


def _running(config: Config) -> Iterator[Finding]:
    running = lock.is_held(config.paths.state)
    yield Finding("daemon", "running" if running else "not running")


def _service(config: Config, path: Path, host: Host) -> Iterator[Finding]:
    """What the service may do is asked of launchd itself: its privacy grants are its own."""
    yield from check_service(path, config, host)
    if host.platform == "darwin" and not inside_the_service():
        yield from ask_from_launchd(path, config, Launchctl(TEST_LABEL, host.uid))


VERB = Verb("doctor", "look for problems, each with its remedy", _arguments, _run)
