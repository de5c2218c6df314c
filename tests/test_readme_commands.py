"""Every command in a README is run as a user types it, or it is said here why it is not."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kit.daemon_process import DEMO, wait_until
from tests.kit.fake_recording import recording
from tests.kit.fakes.launchd_session import UID, fake_mac
from tests.kit.fault_daemon import FaultDaemon
from tests.test_readmes import READMES, ROOT

_PROGRAMS = ("dropscribe", "./scripts/", "scripts/", "launchctl", "python -m", "uv ", "pip ")
_PLACEHOLDERS = re.compile(r"[|…]|\b[A-Z]{4,}\b")  # `start|stop`, `RECORDING`: no command line yet

# With fake stages and an inbox in which some files have come to their ends.
_WITH_JOBS = (
    "dropscribe status",
    "dropscribe status --json",
    "dropscribe jobs -n 50",
    "dropscribe jobs --json -n 10",
    "dropscribe show meeting.m4a",
    "dropscribe inbox",
    "dropscribe completion zsh",
    "dropscribe cancel lecture.m4a",
    "dropscribe retry interview.m4a",
    "dropscribe realign meeting.m4a",
    "dropscribe render meeting -f vtt -o .",
    "dropscribe search budget Vienna",
    "dropscribe transcribe talk.mp4 -o .",
    "dropscribe doctor",
    "dropscribe models plan",
    "dropscribe models verify",
    "dropscribe config show",
)
# In this order, under a fake launchd.
_UNDER_LAUNCHD = (
    "dropscribe install",
    "dropscribe restart",
    "dropscribe stop",
    "launchctl enable    gui/$(id -u)/local.dropscribe",
    "launchctl bootstrap gui/$(id -u) ~/Library/LaunchAgents/local.dropscribe.plist",
    "launchctl print     gui/$(id -u)/local.dropscribe",
    "launchctl kickstart gui/$(id -u)/local.dropscribe",
    "launchctl kill SIGTERM gui/$(id -u)/local.dropscribe",
    "launchctl bootout   gui/$(id -u)/local.dropscribe",
    "launchctl disable   gui/$(id -u)/local.dropscribe",
    "dropscribe start",
    "dropscribe uninstall",
)
_FOLLOWS = "dropscribe logs -f"
_INSTALLED = "needs the network and minutes: it installs the packages"
_MEASURED = "takes minutes to hours of a quiet machine; its parts are tested in tests/bench/"
_NOT_RUN = {
    "uv tool install --compile-bytecode --python 3.12 .": _INSTALLED,
    "python3.11 -m venv ~/.dropscribe && ~/.dropscribe/bin/pip install .": _INSTALLED,
    "mkdir -p ~/.local/bin && ln -s ~/.dropscribe/bin/dropscribe ~/.local/bin/": _INSTALLED,
    "pip install uv": _INSTALLED,
    "pip install 'dropscribe[cluster]'": _INSTALLED,
    "python -m daemon.bench.cluster_scaling --workers 1 16 --seconds 60 --files 3": _MEASURED,
    "python -m pytest -m slow -s tests/cluster": "minutes, and some of it as root",
    "pip install whispermlx openai-whisper": _INSTALLED,
    "dropscribe models fetch": "needs the network: gigabytes",
    "dropscribe models fetch --backend ctranslate2": "needs the network: gigabytes",
    "dropscribe cluster add mac2.local": "needs another machine",
    "dropscribe cluster status": "needs another machine",
    "dropscribe lend": "needs another machine",
    "dropscribe demo my-recording.m4a": "as the next, with a recording of the reader's",
    "dropscribe bench --only accuracy": _MEASURED,
    "dropscribe bench --only engine": _MEASURED,
    "dropscribe demo": "tests/commands/test_commands.py runs it, with its own checks",
    "dropscribe bench": _MEASURED,
    "dropscribe bench --only backends --model large-v3 RECORDING": _MEASURED,
    "dropscribe bench --only rivals": _MEASURED,
    "dropscribe speakers meeting --name 1=Ada": "tests/commands/test_speakers.py names them",
    "dropscribe bench --only pipeline --rounds 1": _MEASURED,
    "dropscribe bench --only latency --rounds 2": _MEASURED,
    "python -m scripts.bench_align lecture --repeats 1": _MEASURED,
    "python -m scripts.bench_align imports": _MEASURED,
    "python -m scripts.align_errors": _MEASURED,
    "./scripts/demo.sh talk.m4a": "it makes an environment, then it runs `dropscribe demo`",
    "python -m tests.kit.subtitle_figures": "minutes; the rules are tested in tests/rendering/",
    "./scripts/test.sh": "it is what runs this",
    "./scripts/check.sh": "it runs ./scripts/test.sh",
    ".venv/bin/pytest tests/faults": "its tests are a part of the suite",
    ".venv/bin/pytest tests/faults -m slow -s": "hours",
    "scripts/soak.py --files 1000 --kills 200 --compiled": "minutes",
    "scripts/crash_loop.py --minutes 8 --results FILE": "test_crash_loop.py runs some of it",
    "scripts/supervisor_cost.py --files 300": "a measurement of a minute; needs a C compiler",
    "dropscribe doctor --prove": "minutes of measuring: tests/proof/ runs it",
    "python -m scripts.mac_wheels": "needs the package index: tests/test_mac_wheels.py",
    "scripts/mac_smoke.sh": "a minute: tests/end_to_end/test_mac_smoke.py runs it, with -m slow",
}

_PROGRAM = f"""#!{sys.executable}
import os, sys
sys.path.insert(0, {str(ROOT)!r})
from daemon.__main__ import main
from daemon.commands import service
from tests.kit.command_line import fake_stages
if "FAKE_LAUNCHD" in os.environ:
    host = service.Host
    service.Host = lambda: host("darwin", {UID})
with fake_stages({{}}):
    raise SystemExit(main())
"""


def _commands(readme: Path) -> Iterator[str]:
    """What stands in blocks of shell lines, and in the text between backquotes."""
    fence = ""
    for line in readme.read_text(encoding="utf-8").splitlines():
        if line.startswith("```"):
            fence = "" if fence else line
        elif fence == "```sh" or (not fence and line.startswith("    ")):
            yield re.sub(r"\s+#.*", "", line).strip()
        elif not fence:
            for code in re.findall(r"`([^`]+)`", line):
                if code.startswith(_PROGRAMS) and " " in code and not _PLACEHOLDERS.search(code):
                    yield code


COMMANDS = {command for readme in READMES for command in _commands(readme)}


def test_every_command_of_every_readme_is_run_or_has_a_reason_not_to_be() -> None:
    known = {*_WITH_JOBS, *_UNDER_LAUNCHD, _FOLLOWS, *_NOT_RUN}
    named = {one for one in COMMANDS - known if any(full.startswith(f"{one} ") for full in known)}
    assert COMMANDS - known - named == set()
    assert set(_NOT_RUN) - COMMANDS == set()


@pytest.fixture
def shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of its own, whose `dropscribe` has fake stages."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, text in (("dropscribe", _PROGRAM), ("id", f"#!/bin/sh\necho {UID}\n")):
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def _run(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["sh", "-c", command], cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture(scope="module")
def worked(tmp_path_factory: pytest.TempPathFactory) -> FaultDaemon:
    """A file was delivered, one failed, and one waits for room on the disk."""
    daemon = FaultDaemon.on(tmp_path_factory.mktemp("worked"), DEMO)
    daemon.give("meeting.m4a", "the budget of Vienna")
    daemon.give("interview.m4a", "what was said", "prepare bad_input")
    daemon.drained()
    daemon.give("lecture.m4a", "what was said", "transcribe disk_full")
    assert daemon.once().returncode == os.EX_TEMPFAIL
    (daemon.root / "talk.mp4").write_bytes(recording("a talk"))
    return daemon


@pytest.mark.parametrize("command", _WITH_JOBS)
def test_a_command_of_the_readmes_works(
    command: str, worked: FaultDaemon, shell: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROPSCRIBE_CONFIG", str(worked.root / "config.toml"))
    ended = _run(command, worked.root)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr


def test_the_log_is_followed(
    worked: FaultDaemon, shell: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DROPSCRIBE_CONFIG", str(worked.root / "config.toml"))
    with (worked.root / "followed").open("wb") as output:
        follower = subprocess.Popen(_FOLLOWS.split(), stdout=output)
    try:
        wait_until(lambda: b"meeting.m4a" in (worked.root / "followed").read_bytes(), "it was told")
        assert follower.poll() is None
    finally:
        follower.terminate()
        follower.wait()


def test_the_commands_of_the_service_work_in_their_order(
    shell: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = FaultDaemon.on(shell / "d", DEMO).root / "config.toml"
    monkeypatch.setenv("DROPSCRIBE_CONFIG", str(config))
    with fake_mac(monkeypatch, scale=0.25):
        monkeypatch.setenv("PATH", f"{shell / 'bin'}{os.pathsep}{os.environ['PATH']}")
        for command in _UNDER_LAUNCHD:
            if "bootstrap" in command:  # for about five seconds after it was stopped, it says 5
                wait_until(lambda command=command: _run(command, shell).returncode == 0, command)
                continue
            ended = _run(command, shell)
            assert ended.returncode == 0, command + ended.stdout + ended.stderr
