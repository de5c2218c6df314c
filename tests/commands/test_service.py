"""The verbs: what is refused, what is printed, what is run. The service itself is a stand-in."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from daemon.commands import service as verbs
from daemon.commands.logs import logs
from daemon.commands.service import Setting, setting
from daemon.config.settings import Config, Paths
from daemon.errors import DropscribeError, TemporaryError, UsageError
from daemon.files.daemon_lock import Lock
from daemon.service.manager import Host, agent_spec, current_life, new_life, service_for
from launchd.launch_agent import LaunchAgent
from launchd.own_file import OwnFile
from launchd.program import Alive
from launchd.systemd_unit import SystemdUnit

MAC = Host("darwin", 501, Path("/Users/mac"))


@dataclass
class Recorder:
    """A service that only remembers what it was asked."""

    loaded: bool = False
    there: bool = True
    asked: list[str] = field(default_factory=list)
    file: OwnFile = field(default_factory=lambda: OwnFile(Path("/plist")))

    def installed(self) -> bool:
        return self.there

    def running(self) -> bool:
        return self.loaded

    def install(self, alive: Alive) -> None:
        self.asked.append(f"install {alive()}")

    def uninstall(self) -> bool:
        self.asked.append("uninstall")
        return self.there

    def start(self, alive: Alive) -> None:
        self.asked.append(f"start {alive()}")

    def stop(self) -> None:
        self.asked.append("stop")

    def restart(self, alive: Alive) -> None:
        self.asked.append(f"restart {alive()}")


@pytest.fixture
def now(tmp_path: Path) -> Setting:
    folders = {key: tmp_path / key for key in Paths.__struct_fields__}
    config = Config(paths=Paths(**folders))
    config.paths.state.mkdir()
    return Setting(tmp_path / "config.toml", config, MAC, Recorder())


def live(state: Path, pid: int, started: str = "2026-05-04T10:00:00Z") -> None:
    (state / "status.json").write_text(json.dumps({"pid": pid, "started": started}))


def asked(now: Setting) -> list[str]:
    assert isinstance(now.service, Recorder)
    return now.service.asked


def test_a_mac_gets_a_launch_agent_of_the_user(tmp_path: Path) -> None:
    spec = agent_spec(tmp_path / "config.toml", Config())
    agent = service_for(spec, MAC)
    assert isinstance(agent, LaunchAgent)
    assert agent.file.path == Path("/Users/mac/Library/LaunchAgents/local.dropscribe.plist")
    assert agent.ctl.target == "gui/501/local.dropscribe"


def test_linux_gets_a_user_unit(tmp_path: Path) -> None:
    host = Host("linux", 1000, tmp_path)
    unit = service_for(agent_spec(tmp_path / "config.toml", Config()), host)
    assert isinstance(unit, SystemdUnit)
    assert unit.file.path == tmp_path / ".config/systemd/user/dropscribe.service"


def test_sudo_is_refused_on_a_mac(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="Do not use sudo"):
        service_for(agent_spec(tmp_path / "c.toml", Config()), Host("darwin", 0, tmp_path))


def test_the_service_runs_this_interpreter_with_this_configuration(tmp_path: Path) -> None:
    spec = agent_spec(tmp_path / "my config.toml", Config())
    config = str(tmp_path / "my config.toml")
    assert spec.program == (sys.executable, "-P", "-m", "daemon", "--config", config, "run")


def test_the_service_finds_models_where_the_shell_keeps_them(tmp_path: Path) -> None:
    shell = {"HF_HOME": "/Volumes/models", "HF_TOKEN": "secret", "PATH": "/opt/mine"}
    spec = agent_spec(tmp_path / "config.toml", Config(), shell)
    assert spec.environment == {"HF_HOME": "/Volumes/models"}


def test_a_bad_configuration_is_named_before_anything_is_touched(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[paths]\ninbocks = '/x'\n")
    with pytest.raises(UsageError, match="inbocks"):
        setting(tmp_path / "config.toml", MAC)


def test_install_says_where_everything_is(now: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    verbs.install(now)
    said = capsys.readouterr().out
    assert asked(now) == ["install False"]
    for place in (now.config.paths.inbox, now.config.paths.outbox, now.config.paths.logs, "/plist"):
        assert str(place) in said
    assert "can run in the background" in said


def test_uninstall_says_what_stays(now: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    verbs.uninstall(now)
    assert "The service was removed." in (said := capsys.readouterr().out)
    assert str(now.config_path) in said


@pytest.mark.parametrize("verb", [verbs.install, verbs.start, verbs.restart])
def test_a_daemon_in_a_terminal_is_not_fought_with(
    verb: object, now: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    assert callable(verb)
    with Lock(now.config.paths.state), pytest.raises(TemporaryError, match="in a terminal"):
        verb(now)
    assert asked(now) == []
    assert capsys.readouterr().out == ""


def test_a_daemon_of_the_service_may_be_restarted(now: Setting) -> None:
    assert isinstance(now.service, Recorder)
    now.service.loaded = True
    live(now.config.paths.state, os.getpid())
    with Lock(now.config.paths.state):
        verbs.start(now)
        verbs.restart(now)
    assert asked(now) == ["start True", "restart False"]


def test_only_a_daemon_that_runs_counts_as_life(tmp_path: Path) -> None:
    with Lock(tmp_path):
        assert current_life(tmp_path) is None
        (tmp_path / "status.json").write_text("{")
        assert current_life(tmp_path) is None
        live(tmp_path, os.getpid())
        assert current_life(tmp_path) is not None


def test_another_process_with_a_killed_daemons_number_is_no_daemon_f70(tmp_path: Path) -> None:
    live(tmp_path, os.getpid())
    assert current_life(tmp_path) is None


def test_a_new_life_is_another_run_than_the_one_before(tmp_path: Path) -> None:
    with Lock(tmp_path):
        live(tmp_path, os.getpid(), "2026-05-04T10:00:00Z")
        alive = new_life(tmp_path)
        assert not alive()
        live(tmp_path, os.getpid(), "2026-05-04T10:00:01Z")
        assert alive()


def test_stop_stops(now: Setting, capsys: pytest.CaptureFixture[str]) -> None:
    assert isinstance(now.service, Recorder)
    now.service.loaded = True
    verbs.stop(now)
    assert asked(now) == ["stop"]
    assert "until you log in again" in capsys.readouterr().out


def test_stop_does_not_claim_what_is_not_so(
    now: Setting, capsys: pytest.CaptureFixture[str]
) -> None:
    assert isinstance(now.service, Recorder)
    verbs.stop(now)
    assert capsys.readouterr().out == "dropscribe was not running.\n"
    with Lock(now.config.paths.state):
        with pytest.raises(TemporaryError, match="outside the service, perhaps in a terminal"):
            verbs.stop(now)
        now.service.loaded = True
        with pytest.raises(TemporaryError, match="still runs"):
            verbs.stop(now)
    assert capsys.readouterr().out == ""


def run_logs(tmp_path: Path) -> int:
    (tmp_path / "config.toml").write_text(f"[paths]\nlogs = '{tmp_path / 'logs'}'\n")
    options = ["--config", str(tmp_path / "config.toml")]
    with logs.make_context("logs", options) as context:
        return int(logs.invoke(context))


def test_logs_show_the_end_of_what_was_written(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "launchd.log").touch()
    lines = "".join(f"line {number}\n" for number in range(100))
    (tmp_path / "logs" / "daemon.log").write_text(lines)
    assert run_logs(tmp_path) == 0
    assert capfd.readouterr().out.splitlines() == [f"line {number}" for number in range(60, 100)]


def test_logs_of_a_daemon_that_never_ran_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(DropscribeError, match="dropscribe install"):
        run_logs(tmp_path)
