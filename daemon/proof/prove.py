"""Every question in turn, and the document that their answers make."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from daemon import __version__
from daemon.config.settings import Config
from daemon.proof import copying, dataless, machine, smoke
from daemon.proof.items import SCHEMA_VERSION, CouldNotError, Found, Item, Question, paste_safe
from daemon.service.manager import Host, agent_spec
from launchd import oneshot
from launchd.errors import ServiceError
from launchd.launchctl import Launchctl

LABEL = "local.dropscribe.prove"
_TRIAL_SECONDS = 300.0
_INSIDE_SECONDS = 120.0
_THROTTLED = 1.25  # times as long as in the terminal: more is no noise


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a person adds: a file in iCloud, time for a copy by the Finder, a real model."""

    dataless: Path | None = None
    finder_seconds: float = 0.0
    smoke: bool = True
    model: str = ""  # beside the bundled one
    only: tuple[str, ...] = ()  # the names of items; none: all


def prove(
    config_path: Path,
    config: Config,
    host: Host,
    backend: str,
    wishes: Wishes,
    on_settled: Callable[[Item], None] = lambda item: None,
) -> dict[str, Any]:
    """The document, safe to paste. `backend` is for the smoke cycle.

    All of it takes minutes: `on_settled` gets each item when it is known.
    """
    begun = time.time()
    questions = _questions(config_path, config, host, backend, wishes)
    wanted = [question for question in questions if not wishes.only or question.name in wishes.only]
    items = []
    for question in wanted:
        items.append(question.settle())
        on_settled(items[-1])
    document = {
        "schema_version": SCHEMA_VERSION,
        "version": __version__,
        "seconds": round(time.time() - begun, 1),
        "items": [asdict(item) for item in items],
    }
    safe: dict[str, Any] = paste_safe(document)
    return safe


def _questions(
    config_path: Path, config: Config, host: Host, backend: str, wishes: Wishes
) -> Iterator[Question]:
    yield Question("system", "macOS 14 or later", "pyproject.toml: mlx", machine.system)
    yield Question(
        "mlx_wheel",
        "the MLX in use was built for this system",
        "daemon/service/checks.py: check_system",
        machine.mlx_wheel,
    )
    yield Question(
        "executable",
        "doctor names the program that runs, or the app around it",
        "daemon/service/program.py: running_program",
        machine.executable,
    )
    yield Question(
        "login_item",
        "Login Items shows the program's name",
        "launchd/launchctl.py: _MEANINGS",
        machine.login_item,
    )
    yield from _inside_launchd(config_path, config, host)
    yield Question(
        "dataless",
        "reading one byte fetches a file from iCloud",
        "daemon/inbox/icloud.py: read_one_byte",
        lambda: dataless.fetched(wishes.dataless),
    )
    yield Question(
        "copy",
        "a copy is left alone until it is whole, and then rings",
        "daemon/inbox/watcher.py: RINGING; daemon/inbox/finder_info.py: readiness",
        lambda: copying.copy(host.home, wishes.finder_seconds),
    )
    yield Question(
        "letter_case",
        "events come whatever the case in which the inbox is named",
        "daemon/files/real_path.py: real_path",
        lambda: copying.letter_case(host.home),
    )
    yield Question(
        "certificates",
        "this Python trusts the usual authorities",
        "daemon/reporting/webhook.py: trusted_certificates",
        machine.certificates,
    )
    yield Question(
        "torch_import",
        "the second import of torch is no slower than the first",
        "daemon/processes/pool.py: prewarm",
        _torch_import,
    )
    yield Question(
        "load_peak",
        "loading takes less than a quarter beside the model",
        "daemon/asr/mlx_backend/weights.py: load_model",
        _load_peak,
    )
    yield Question(
        "aligner",
        "aligning on the CPU is fast enough to hide behind transcription",
        'daemon/config/settings.py: Align.device = "cpu"',
        _aligner,
    )
    yield Question(
        "sleep",
        "sleep and wake are counted",
        "daemon/supervisor/loop.py: _WAKE_DRIFT",
        machine.sleeps,
    )
    if wishes.smoke:
        yield from _smoke(host, backend, wishes.model)


def _smoke(host: Host, backend: str, model: str) -> Iterator[Question]:
    for name, which in (("smoke", "base"), ("smoke_with_your_model", model)):
        if which:
            yield Question(
                name,
                "install, drop, result, stop and uninstall work",
                "launchd/launch_agent.py",
                _in_words(lambda which=which: smoke.cycle(host, backend, which)),  # type: ignore[misc]
            )


def _inside_launchd(config_path: Path, config: Config, host: Host) -> Iterator[Question]:
    """The same report from this terminal and from launchd; two items compare them."""
    here: Found = {}
    there: Found = {}

    def compared() -> tuple[bool, Found]:
        here.update(_child("daemon.proof.inside", _INSIDE_SECONDS))
        there.update(_from_launchd(config_path, config, host))
        ratio = there["run"]["seconds"] / max(here["run"]["seconds"], 1e-9)
        return ratio <= _THROTTLED, {
            "terminal": _without_looks(here),
            "launchd": _without_looks(there),
            "ratio": round(ratio, 2),
        }

    def looks() -> tuple[bool, Found]:
        if not there:
            compared()
        answers = [answer for answer in there["looks"].values() if isinstance(answer, str)]
        found = {"terminal": here["looks"], "launchd": there["looks"]}
        return not {"denied", "blocked"} & set(answers), found

    yield Question(
        "gpu_in_launchd",
        "Interactive keeps the GPU as fast inside launchd as in a terminal",
        "launchd/agent_spec.py: ProcessType",
        _in_words(compared),
    )
    yield Question(
        "guarded_folders",
        "a service may list the folders that macOS guards",
        "daemon/files/guarded.py: guarded_place",
        _in_words(looks),
    )


def _without_looks(report: Found) -> Found:
    return {key: value for key, value in report.items() if key != "looks"}


def _from_launchd(config_path: Path, config: Config, host: Host) -> Found:
    if host.platform != "darwin":
        raise CouldNotError("there is no launchd on this system")
    program = (sys.executable, "-P", "-m", "daemon.proof.inside")
    spec = replace(agent_spec(config_path, config), program=program)
    config.paths.state.mkdir(parents=True, exist_ok=True, mode=0o700)
    ctl = Launchctl(LABEL, host.uid)
    found = oneshot.ask(spec, ctl, config.paths.state, _INSIDE_SECONDS)
    if not isinstance(found, dict):
        raise CouldNotError("launchd's answer was none")
    return found


def _in_words(ask: Callable[[], tuple[bool, Found]]) -> Callable[[], tuple[bool, Found]]:
    """The service manager's troubles: their text names files, its code is enough."""

    def asked() -> tuple[bool, Found]:
        try:
            return ask()
        except ServiceError as error:
            code = str(error).partition("(code ")[2].partition(":")[0]
            raise CouldNotError(f"launchd refused{f' with code {code}' if code else ''}") from error

    return asked


def _child(module: str, seconds: float, *arguments: str) -> Found:
    """The JSON that a module of ours prints in a process of its own."""
    try:
        done = subprocess.run(
            [sys.executable, "-P", "-m", module, *arguments],
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise CouldNotError(f"it took more than {seconds:.0f} s") from None
    lines = done.stdout.splitlines()
    if done.returncode or not lines:
        raise CouldNotError(f"its process ended with {done.returncode}")
    found: Found = json.loads(lines[-1])
    return found


def _trial(name: str) -> Found:
    return _child("daemon.proof.trials", _TRIAL_SECONDS, name)


def _torch_import() -> tuple[bool, Found]:
    first, second = _trial("torch_import"), _trial("torch_import")
    found = {"version": first["version"], "first": first["seconds"], "second": second["seconds"]}
    return found["second"] <= found["first"] * 1.5, found


def _load_peak() -> tuple[bool, Found]:
    found = _trial("load_peak")
    return found["peak_bytes"] < 1.25 * found["model_bytes"], found


def _aligner() -> tuple[bool, Found]:
    found = _trial("aligner")
    return found["cpu"] < found["audio_seconds"] / 3, found
