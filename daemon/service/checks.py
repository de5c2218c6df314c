"""What could keep a recording from being transcribed, each finding with its remedy."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from msgspec.structs import asdict

from daemon import __version__
from daemon.config.settings import Config
from daemon.errors import DropscribeError, TemporaryError, UsageError
from daemon.files import lock
from daemon.files.answering import answer_within
from daemon.files.faults import explain
from daemon.files.guarded import why_blocked
from daemon.files.permissions import check_is_ours
from daemon.files.state_folder import STATUS, TEMP_PREFIX
from daemon.models import hardware, registry
from daemon.models.requirements import unmet
from daemon.service.guards import guarded
from daemon.service.manager import Host, agent_spec, service_for
from daemon.service.program import grant_is_lost, program_to_grant, running_program
from launchd import oneshot
from launchd.agent_spec import MARKER, AgentSpec
from launchd.errors import ServiceError
from launchd.launchctl import Launchctl
from launchd.program import last_lines
from launchd.systemd_unit import NO_SESSION, SystemdUnit, unit_text

TEST_LABEL = "local.dropscribe.doctor"
_OLDEST_MACOS = 14
_TEST_SECONDS = 60.0  # six folders may be blocked, each for five
_FOLDER_SECONDS = 5.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at. A problem has a remedy; what is well has none."""

    topic: str
    text: str
    remedy: str = ""

    @property
    def well(self) -> bool:
        return not self.remedy


def examine(config: Config, path: Path) -> list[Finding]:
    """Look at everything; never raises for what it finds."""
    host = Host()
    checks: tuple[Callable[[], Iterator[Finding]], ...] = (
        lambda: check_environment(path),
        lambda: check_settings(config),
        lambda: check_guarded(config, host),
        lambda: check_disk(config),
        lambda: check_daemon(config),
        lambda: check_service(path, config, host),
        lambda: _check_from_launchd(path, config, host),
    )
    return [finding for check in checks for finding in check()]


def check_environment(path: Path) -> Iterator[Finding]:
    system = f"{platform.system()} {platform.release()} on {platform.machine()}"
    python = f"Python {platform.python_version()} ({sys.executable})"
    yield Finding("version", f"dropscribe {__version__}, {python}, {system}")
    where = str(path) if path.exists() else f"{path} (not there: every default is in force)"
    yield Finding("config", where)
    yield from check_system(sys.platform, platform.mac_ver()[0])


def check_system(system: str, release: str) -> Iterator[Finding]:
    """`release` is the version of macOS; MLX's wheels say from which one on they run."""
    oldest = f"macOS {release} is too old for MLX, whose wheels need 14"
    with contextlib.suppress(ValueError):
        if system == "darwin" and int(release.split(".", maxsplit=1)[0]) < _OLDEST_MACOS:
            yield Finding("system", oldest, "update macOS to 14 or later")


def check_guarded(config: Config, host: Host) -> Iterator[Finding]:
    """What lies where macOS guards it, when a service is to use it."""
    for what, path, place, remedy in guarded(config, host):
        text = f"{what}: {path} lies in {place}, which macOS guards from services"
        yield Finding("guarded", text, f"{remedy}; or grant the program Full Disk Access")


def check_models(config: Config) -> Iterator[Finding]:
    try:
        backend = hardware.choose(config.transcribe.backend)
    except DropscribeError as error:
        yield Finding("backend", "the wanted backend is missing", str(error))
        return
    yield Finding("backend", f"{backend.name} on {backend.device}: {backend.why}")
    automatic = hardware.choose("auto")
    if automatic.name != backend.name:
        yield Finding("backend", f"auto would choose {automatic.name} on {automatic.device}")
    for key, remedy in unmet(config, backend.name, os.environ):
        topic = "model" if key.endswith(".model") else key
        yield Finding(topic, f"{key} cannot be followed", remedy)
    with contextlib.suppress(DropscribeError):
        weights = registry.find_or_stand_in(
            config.transcribe.model, backend.name, os.environ, config.transcribe.stand_in
        )
        yield Finding("model", f"{weights.name} in {weights.folder}")
        if weights.stands_in_for:
            yield Finding("model", registry.about_stand_in(weights))


def check_folders(config: Config) -> Iterator[Finding]:
    for key, folder in asdict(config.paths).items():
        yield _check_folder(key, folder)


def _check_folder(key: str, folder: Path) -> Finding:
    """Denied and blocked are two things: the first answers, the second waits for somebody."""

    def use() -> Finding:
        if not os.path.lexists(folder):
            return _check_missing_folder(key, folder)
        with tempfile.TemporaryFile(dir=folder, prefix=TEMP_PREFIX):
            pass
        next(iter(folder.iterdir()), None)
        return Finding(key, f"{folder} is writable")

    try:
        return answer_within(_FOLDER_SECONDS, use)
    except TimeoutError:
        return Finding(key, f"{folder} is blocked", why_blocked(folder))
    except OSError as error:
        return Finding(key, f"{folder} is denied", explain(error))


def _check_missing_folder(key: str, folder: Path) -> Finding:
    above = next(parent for parent in folder.parents if os.path.lexists(parent))
    if not above.is_dir():
        return Finding(key, f"{folder} cannot be made", f"{above} is no folder")
    if not os.access(above, os.W_OK | os.X_OK):
        return Finding(key, f"{folder} cannot be made", f"make it yourself: {above} is not yours")
    return Finding(key, f"{folder} will be made when the daemon starts")


def check_permissions(config: Config) -> Iterator[Finding]:
    """Who may write the state folder decides which recordings are moved where."""
    try:
        answer_within(
            _FOLDER_SECONDS, lambda: check_is_ours(config.paths.state, "the state folder")
        )
    except OSError:
        return  # what hinders the folder was found already
    except UsageError as error:
        text, _, remedy = str(error).partition(". Run: ")
        yield Finding("state", text, remedy or "give it to this user, or use another folder")


def check_hook(config: Config) -> Iterator[Finding]:
    if config.notify.hook:
        program = Path(config.notify.hook[0])
        if not program.is_file():
            yield Finding("hook", f"{program} is not there", "correct notify.hook")
        elif not os.access(program, os.X_OK):
            yield Finding("hook", f"{program} may not be run", f"chmod +x '{program}'")
        else:
            yield Finding("hook", str(program))


def check_settings(config: Config) -> Iterator[Finding]:
    """What `run` would refuse, or wait for, because of the configuration."""
    for check in (check_models, check_folders, check_permissions, check_hook):
        yield from check(config)


def check_disk(config: Config) -> Iterator[Finding]:
    floor = config.limits.min_free_mb
    for key in ("state", "outbox"):
        folder = getattr(config.paths, key)
        try:
            free = answer_within(_FOLDER_SECONDS, partial(shutil.disk_usage, folder)).free
        except OSError:
            continue  # it is not there yet, or what hinders it was found already
        free //= 1_000_000
        remedy = "" if free >= floor else f"free some space: work pauses below {floor} MB"
        yield Finding("disk", f"{free} MB free for {key}", remedy)


def check_daemon(config: Config) -> Iterator[Finding]:
    try:
        running = answer_within(_FOLDER_SECONDS, lambda: lock.is_held(config.paths.state))
    except TimeoutError:
        return  # that the folder is blocked was found already
    yield Finding("daemon", "running" if running else "not running")
    if running:
        yield from _check_hanging(config.paths.state / STATUS)
        return
    with contextlib.closing(lock.FolderLock(config.paths.inbox)) as inbox:
        try:
            answer_within(_FOLDER_SECONDS, inbox.hold)
        except TemporaryError as error:
            remedy = "give each daemon an inbox of its own, or stop the other one"
            yield Finding("inbox", str(error), remedy)
        except OSError:
            return  # what hinders the folder was found already


def _check_hanging(status: Path) -> Iterator[Finding]:
    """Copies that stand still, as the daemon says."""
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError, AttributeError):
        for one in json.loads(status.read_bytes()).get("hanging", ()):
            yield Finding(
                "daemon", f"{one['name']}: {one['reason']}", why_blocked(Path(one["folder"]))
            )


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
        alone = isinstance(service, SystemdUnit) and not service.has_session()
        text = "not installed: dropscribe install starts it at every login"
        yield Finding("service", NO_SESSION if alone else text)
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


def _check_from_launchd(path: Path, config: Config, host: Host) -> Iterator[Finding]:
    """What the service may do is asked of launchd itself: its privacy grants are its own."""
    if host.platform == "darwin" and not inside_the_service():
        yield from ask_from_launchd(path, config, Launchctl(TEST_LABEL, host.uid))


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
    listed = found.get("findings") if isinstance(found, dict) else None
    checks = [one for one in listed if isinstance(one, dict)] if isinstance(listed, list) else []
    wrong = [check for check in checks if check.get("remedy")]
    for one in wrong:
        text = f"as the service sees it: {one.get('topic')}: {one.get('text')}"
        yield Finding("launchd", text, _who_to_grant(str(one["remedy"])))
    if not wrong:
        yield Finding("launchd", "a test that it ran found nothing wrong")


def _who_to_grant(remedy: str) -> str:
    """Privacy settings ask for a program, and a virtual environment's python is only a link."""
    if "privacy" not in remedy.lower():
        return remedy
    program = running_program()
    later = grant_is_lost(program)
    return (
        f"{remedy}, Full Disk Access, + {program_to_grant(program)}"
        f"{f' ({later})' if later else ''}; or choose a folder elsewhere in your home"
    )
