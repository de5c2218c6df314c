"""The unit file, read by systemd's own checker where it is here, and the systemctl that drives it.

No user session of systemd runs in a container, so systemctl is a scripted stand-in.
"""

from __future__ import annotations

import configparser
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from launchd.agent_spec import AgentSpec
from launchd.command import Reply
from launchd.errors import ServiceError
from launchd.systemd_unit import UNIT, SystemdUnit, unit_text

SPEC = AgentSpec(
    program=(sys.executable, "-P", "-m", "daemon", "run", "--config", "/home/me/a b.toml"),
    working_directory=Path("/tmp"),
    log=Path("/tmp/dropscribe/launchd.log"),
)


@dataclass
class Systemctl:
    """Remembers what was asked; `codes` says how a verb ends, 0 if it does not."""

    codes: dict[str, int] = field(default_factory=dict)
    said: str = "because"
    calls: list[str] = field(default_factory=list)

    def __call__(self, argv: Sequence[str], _seconds: float) -> Reply:
        assert argv[:2] == ("systemctl", "--user")
        self.calls.append(" ".join(argv[2:]))
        return Reply(self.codes.get(argv[2], 0), self.said)


@pytest.fixture
def unit(tmp_path: Path) -> Callable[..., SystemdUnit]:
    def make(systemctl: Systemctl, program: tuple[str, ...] = SPEC.program) -> SystemdUnit:
        spec = replace(SPEC, program=program, working_directory=tmp_path, log=tmp_path / "log")
        return SystemdUnit(spec, tmp_path / "user", systemctl, alive_seconds=0.0)

    return make


def yes() -> bool:
    return True


def no() -> bool:
    return False


def parsed(spec: AgentSpec) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(unit_text(spec))
    return parser


def test_the_unit_behaves_as_the_launch_agent_does() -> None:
    service = parsed(SPEC)["Service"]
    assert service["Restart"] == "always"
    assert service["RestartSec"] == "10"
    assert service["TimeoutStopSec"] == "20"
    assert service["KillMode"] == "mixed"
    assert service["UMask"] == "0077"
    assert service["StandardOutput"] == "append:/tmp/dropscribe/launchd.log"
    assert parsed(SPEC)["Unit"]["StartLimitIntervalSec"] == "0"


def test_arguments_survive_systemds_own_substitutions() -> None:
    spec = replace(SPEC, program=("/bin/echo", 'a "b" c', "100%", "$HOME", "back\\slash"))
    line = parsed(spec)["Service"]["ExecStart"]
    assert line == r'"/bin/echo" "a \"b\" c" "100%%" "$$HOME" "back\\slash"'


def test_a_control_character_cannot_add_a_line() -> None:
    with pytest.raises(ServiceError, match="control character"):
        unit_text(replace(SPEC, program=("/bin/echo", "x\nExecStartPre=/bin/evil")))


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_systemd_finds_nothing_to_complain_about(tmp_path: Path) -> None:
    file = tmp_path / UNIT
    file.write_text(unit_text(replace(SPEC, log=tmp_path / "50% done.log")))
    command = ["systemd-analyze", "verify", "--user", "--recursive-errors=no", str(file)]
    runtime = {"XDG_RUNTIME_DIR": str(tmp_path), "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=runtime)
    assert UNIT not in result.stderr, result.stderr
    assert result.returncode == 0, result.stderr


def test_install_writes_enables_and_restarts(unit: Callable[..., SystemdUnit]) -> None:
    systemctl = Systemctl()
    unit(systemctl).install(yes)
    assert systemctl.calls == ["daemon-reload", f"enable {UNIT}", f"restart {UNIT}"]
    assert unit(systemctl).installed()


def test_uninstall_undoes_it(unit: Callable[..., SystemdUnit]) -> None:
    systemctl = Systemctl()
    service = unit(systemctl)
    service.install(yes)
    assert service.uninstall()
    assert systemctl.calls[-2:] == [f"disable --now {UNIT}", "daemon-reload"]
    assert not service.installed()


def test_uninstall_of_nothing_says_so(unit: Callable[..., SystemdUnit]) -> None:
    assert not unit(Systemctl({"is-active": 3})).uninstall()


def test_start_stop_and_restart_are_systemctls(unit: Callable[..., SystemdUnit]) -> None:
    systemctl = Systemctl()
    service = unit(systemctl)
    service.install(yes)
    service.stop()
    service.start(yes)
    service.restart(yes)
    assert systemctl.calls[3:] == [f"stop {UNIT}", f"start {UNIT}", f"restart {UNIT}"]


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_what_is_not_installed_can_only_be_installed(
    verb: str, unit: Callable[..., SystemdUnit]
) -> None:
    with pytest.raises(ServiceError, match="dropscribe install"):
        getattr(unit(Systemctl()), verb)(yes)


def test_a_failed_first_install_leaves_nothing(unit: Callable[..., SystemdUnit]) -> None:
    service = unit(Systemctl({"restart": 1}))
    with pytest.raises(ServiceError, match=r"could not restart \(code 1: because\)"):
        service.install(yes)
    assert not service.installed()


def test_a_failed_new_version_gives_way_to_the_old_one(unit: Callable[..., SystemdUnit]) -> None:
    unit(Systemctl()).install(yes)
    systemctl = Systemctl()
    newer = unit(systemctl, program=(sys.executable, "-m", "newer"))
    before = newer.file.read()
    with pytest.raises(ServiceError, match="no sign of life"):
        newer.install(no)
    assert newer.file.read() == before
    assert systemctl.calls[-2:] == ["daemon-reload", f"restart {UNIT}"]


def test_a_program_that_is_not_there_changes_nothing(unit: Callable[..., SystemdUnit]) -> None:
    systemctl = Systemctl()
    with pytest.raises(ServiceError, match="there is no program /nowhere/python"):
        unit(systemctl, program=("/nowhere/python",)).install(yes)
    assert systemctl.calls == []


@pytest.mark.parametrize(
    "systemctl",
    [
        Systemctl(
            {"daemon-reload": 127, "is-system-running": 127},
            "there is no systemctl on this machine",
        ),
        Systemctl(
            {"daemon-reload": 1, "is-system-running": 1},
            "Failed to connect to bus: No medium found",
        ),
    ],
    ids=["no systemd", "no user session"],
)
def test_without_systemd_the_words_are_to_run_it_yourself(
    systemctl: Systemctl, unit: Callable[..., SystemdUnit]
) -> None:
    with pytest.raises(ServiceError) as refused:
        unit(systemctl).install(yes)
    assert "yourself with `dropscribe run`. systemctl said: " in str(refused.value)
    assert str(refused.value).endswith(". Nothing was left installed.")
    assert not unit(systemctl).has_session()


def test_a_manager_that_does_not_run_is_no_session(unit: Callable[..., SystemdUnit]) -> None:
    """What systemctl says in a container, where `install` could only fail."""
    offline = Systemctl({"is-system-running": 1}, "offline\n")
    assert not unit(offline).has_session()
    assert unit(Systemctl({"is-system-running": 1}, "degraded\n")).has_session()


def test_a_strangers_unit_is_left_alone(unit: Callable[..., SystemdUnit]) -> None:
    service = unit(Systemctl())
    service.folder.mkdir()
    service.file.path.write_text("[Service]\nExecStart=/bin/other\n")
    with pytest.raises(ServiceError, match="was not written by dropscribe"):
        service.install(yes)
    assert service.file.path.read_text() == "[Service]\nExecStart=/bin/other\n"
