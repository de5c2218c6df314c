"""The LaunchAgent's verbs against a fake launchd (no Mac here) with real, tiny daemons.

The fake's times are a twentieth of the real ones unless a test says otherwise: the five seconds
after a bootout in which bootstrap answers 5 are 0.25 s here.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from pathlib import Path
from typing import Any

import psutil
import pytest

from launchd.agent_spec import AgentSpec
from launchd.command import Reply
from launchd.errors import ServiceError
from launchd.launch_agent import LaunchAgent
from launchd.launchctl import Launchctl
from tests.kit.daemon_process import has_ended
from tests.kit.fakes.launchd_session import FAKES, Session, Swift, eventually, fake_mac

DAEMON = str(FAKES / "launchd_daemon.py")


@dataclass(frozen=True)
class Mac:
    """A user's home folder on a fake Mac."""

    home: Path
    session: Session

    def agent(self, mode: str = "polite", **changes: Any) -> LaunchAgent:  # noqa: ANN401
        spec = AgentSpec(
            program=(sys.executable, DAEMON, str(self.home / "signs"), mode),
            working_directory=self.home / "state",
            log=self.home / "logs" / "launchd.log",
        )
        folder = self.home / "LaunchAgents"
        return LaunchAgent(replace(spec, **changes), folder, self.session.ctl(spec.label))

    def signs(self) -> list[dict[str, Any]]:
        file = self.home / "signs"
        return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []

    def alive(self) -> bool:
        """Whether the daemon that launchd started last has given its sign of life."""
        signs, pid = self.signs(), self.session.pid()
        return pid is not None and any(sign["pid"] == pid for sign in signs)


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    with fake_mac(monkeypatch, scale=0.05) as session:
        yield Mac(tmp_path, session)


def test_install_brings_the_daemon_up_and_is_verified_by_its_own_sign(mac: Mac) -> None:
    mac.agent().install(mac.alive)
    assert mac.alive()
    verbs = [verb for verb, _ in groupby(mac.session.verbs())]
    assert verbs == ["enable", "bootout", "print", "bootstrap"]


def test_the_launchctl_on_path_is_the_one_that_is_asked(mac: Mac) -> None:
    agent = replace(mac.agent(), ctl=Launchctl("local.dropscribe", 501))
    agent.install(mac.alive)
    assert agent.uninstall()


def test_a_second_install_replaces_the_process_and_waits_out_error_5(mac: Mac) -> None:
    agent = mac.agent()
    agent.install(mac.alive)
    first = mac.session.pid()
    agent.install(mac.alive)
    assert mac.session.pid() != first
    codes = [c["code"] for c in mac.session.events("launchctl") if c["arguments"][0] == "bootstrap"]
    assert codes[-1] == 0
    assert 5 in codes


def test_the_daemon_gets_launchds_bare_environment_and_our_path(mac: Mac) -> None:
    mac.agent().install(mac.alive)
    (sign,) = mac.signs()
    assert sign["env"]["PATH"].startswith("/opt/homebrew/bin:")
    assert sign["env"]["DROPSCRIBE_AGENT"] == "1"
    assert sign["env"]["HOME"] == str(mac.session.folder / "home")
    assert "FAKE_LAUNCHD" not in sign["env"]
    assert sign["cwd"] == str(mac.home / "state")
    assert sign["umask"] == 0o077
    assert sign["leader"] == sign["pid"]


def test_a_killed_daemon_is_back_without_anybody_asking(mac: Mac) -> None:
    mac.agent().install(mac.alive)
    first = mac.session.pid()
    assert first
    os.kill(first, 9)
    eventually(lambda: mac.session.pid() not in {first, None})
    eventually(mac.alive)


def test_a_daemon_that_ends_with_0_is_brought_back_too(mac: Mac) -> None:
    agent = mac.agent("quit", throttle_seconds=1)
    agent.install(lambda: len(mac.signs()) >= 3)


def test_a_crash_loop_is_braked_by_the_throttle(mac: Mac) -> None:
    agent = replace(mac.agent("crash"), alive_seconds=0.0)
    agent.file.write(agent.spec.to_bytes())
    agent.spec.log.parent.mkdir()
    agent.spec.working_directory.mkdir()
    agent.ctl.bootstrap(agent.file.path)
    eventually(lambda: len(mac.session.events("started")) >= 4)
    starts = [entry["at"] for entry in mac.session.events("started")]
    pauses = [later - earlier for earlier, later in pairwise(starts)]
    assert min(pauses) >= agent.spec.throttle_seconds * mac.session.scale


def test_stop_waits_until_the_daemon_is_gone_and_start_brings_it_back(mac: Mac) -> None:
    agent = mac.agent()
    agent.install(mac.alive)
    agent.stop()
    assert mac.session.pid() is None
    assert not agent.running()
    assert agent.installed()
    agent.start(mac.alive)
    assert mac.alive()


def test_stop_and_start_may_be_repeated(mac: Mac) -> None:
    agent = mac.agent()
    agent.install(mac.alive)
    agent.start(mac.alive)
    agent.stop()
    agent.stop()
    agent.start(mac.alive)
    agent.start(mac.alive)
    assert mac.alive()
    assert [entry["status"] for entry in mac.session.events("exited")] == [0]


@pytest.mark.parametrize("code", [3, 5, 113, 125])
def test_whatever_bootout_says_what_is_not_loaded_is_stopped(code: int, mac: Mac) -> None:
    answers = {"bootout": code, "print": 113}
    ctl = Launchctl("local.dropscribe", 501, lambda argv, _: Reply(answers[argv[1]], ""))
    replace(mac.agent(), ctl=ctl).stop()


def test_a_bootout_that_is_refused_is_not_a_stop(mac: Mac) -> None:
    answers = {"bootout": 5, "print": 0}
    ctl = Launchctl("local.dropscribe", 501, lambda argv, _: Reply(answers[argv[1]], ""))
    with pytest.raises(ServiceError, match="could not stop the service"):
        replace(mac.agent(), ctl=ctl).stop()


def test_a_stubborn_daemon_is_killed_after_exit_timeout_and_stop_waits_for_it(mac: Mac) -> None:
    agent = mac.agent("stubborn")
    agent.install(mac.alive)
    agent.stop()
    assert [entry["status"] for entry in mac.session.events("exited")] == [-9]


def test_what_the_daemon_left_in_its_process_group_is_ended_with_it(mac: Mac) -> None:
    agent = mac.agent("parent")
    agent.install(mac.alive)
    child = psutil.Process(mac.signs()[0]["child"])
    agent.stop()
    eventually(lambda: has_ended(child))


def test_restart_is_polite_where_kickstart_k_would_kill(mac: Mac) -> None:
    agent = mac.agent()
    agent.install(mac.alive)
    first = mac.session.pid()
    agent.restart(mac.alive)
    assert mac.session.pid() != first
    assert [entry["status"] for entry in mac.session.events("exited")] == [0]


def test_a_disabled_label_is_enabled_again_by_install_and_by_start(mac: Mac) -> None:
    agent = mac.agent()
    agent.ctl.run(["launchctl", "disable", agent.ctl.target], 5)
    agent.install(mac.alive)
    agent.stop()
    agent.ctl.run(["launchctl", "disable", agent.ctl.target], 5)
    agent.start(mac.alive)
    assert mac.alive()


def test_uninstall_leaves_no_service_and_keeps_every_other_file(mac: Mac) -> None:
    agent = mac.agent()
    agent.install(mac.alive)
    assert agent.uninstall()
    assert not agent.running()
    assert list(agent.folder.iterdir()) == []
    assert agent.spec.working_directory.is_dir()
    assert agent.spec.log.is_file()


def test_uninstall_of_nothing_says_so_and_harms_nothing(mac: Mac) -> None:
    assert not mac.agent().uninstall()


@pytest.mark.parametrize("verb", ["install", "uninstall", "start", "stop", "restart"])
def test_a_strangers_plist_is_never_touched(verb: str, mac: Mac) -> None:
    agent = mac.agent()
    agent.folder.mkdir()
    agent.file.path.write_bytes(b"<plist>another program's</plist>")
    arguments = [] if verb in {"uninstall", "stop"} else [mac.alive]
    with pytest.raises(ServiceError, match="was not written by dropscribe"):
        getattr(agent, verb)(*arguments)
    assert agent.file.path.read_bytes() == b"<plist>another program's</plist>"
    assert mac.session.verbs() == []


@pytest.mark.parametrize("verb", ["start", "restart"])
def test_what_is_not_installed_can_only_be_installed(verb: str, mac: Mac) -> None:
    with pytest.raises(ServiceError, match="dropscribe install"):
        getattr(mac.agent(), verb)(mac.alive)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"program": ("/nowhere/python3", "-m", "daemon")}, "there is no program /nowhere/python3"),
        ({"program": ("python3",)}, "must be an absolute path"),
        ({"working_directory": Path("state")}, "WorkingDirectory must be an absolute path"),
        ({"log": Path("/dev/null/x/launchd.log")}, "cannot make /dev/null/x"),
        ({"exit_seconds": 0}, "ExitTimeOut must be a whole number"),
    ],
)
def test_a_bad_plist_leaves_the_old_service_up(
    change: dict[str, Any], words: str, mac: Mac
) -> None:
    agent = mac.agent()
    agent.install(mac.alive)
    before, pid, verbs = agent.file.read(), mac.session.pid(), mac.session.verbs()
    with pytest.raises(ServiceError, match=words):
        mac.agent(**change).install(mac.alive)
    assert agent.file.read() == before
    assert mac.session.pid() == pid
    assert mac.session.verbs() == verbs


def test_a_new_version_that_does_not_come_up_gives_way_to_the_old_one(mac: Mac) -> None:
    old, new = mac.agent(), replace(mac.agent("crash"), alive_seconds=20.0)
    old.install(mac.alive)
    with pytest.raises(ServiceError) as caught:
        new.install(mac.alive)
    assert "there is no disk" in str(caught.value)
    assert "The earlier version was put back and is running." in str(caught.value)
    assert old.file.read() == old.spec.to_bytes()
    assert mac.alive()


def test_a_first_installation_that_does_not_come_up_leaves_nothing(mac: Mac) -> None:
    agent = replace(mac.agent("silent"), alive_seconds=0.5)
    with pytest.raises(ServiceError, match=r"no sign of life .* Nothing was left installed"):
        agent.install(mac.alive)
    assert not agent.installed()
    assert not agent.running()


def test_launchd_that_always_answers_5_is_believed_in_the_end(mac: Mac) -> None:
    """The plist is good and nothing is loaded; launchd refuses it and gives no reason."""

    def refuse(argv: object, _seconds: float) -> Reply:
        verb = list(argv)[1]  # type: ignore[call-overload]
        codes = {"bootstrap": 5, "bootout": 3, "print": 113}
        return Reply(codes.get(verb, 0), "Input/output error" if verb == "bootstrap" else "")

    agent = replace(mac.agent(), ctl=Launchctl("local.dropscribe", 501, refuse, Swift(50)))
    with pytest.raises(
        ServiceError, match=r"code 5: Input/output error.*Nothing was left"
    ) as error:
        agent.install(mac.alive)
    assert "Login Items" in str(error.value)


def test_without_a_desktop_session_nothing_changes_and_the_words_are_to_log_in(mac: Mac) -> None:
    agent = mac.agent()
    agent.install(mac.alive)
    before, pid = agent.file.read(), mac.session.pid()
    elsewhere = mac.agent("quit")
    elsewhere = replace(elsewhere, ctl=replace(agent.ctl, uid=777))
    with pytest.raises(ServiceError, match="Log in at the Mac's own screen"):
        elsewhere.install(mac.alive)
    assert agent.file.read() == before
    assert mac.session.pid() == pid


def test_a_log_folder_that_vanished_is_status_78_and_install_heals_it(mac: Mac) -> None:
    agent = mac.agent()
    agent.file.write(agent.spec.to_bytes())
    agent.ctl.bootstrap(agent.file.path)
    eventually(lambda: mac.session.events("refused"))
    assert mac.session.events("refused")[0]["status"] == 78
    agent.install(mac.alive)
    assert mac.alive()


def test_a_plist_that_others_may_write_to_is_refused_by_launchd_and_healed(mac: Mac) -> None:
    agent = mac.agent()
    agent.install(mac.alive)
    agent.stop()
    agent.file.path.chmod(0o666)
    with pytest.raises(ServiceError, match=r"writable by you alone.*dropscribe install"):
        agent.start(mac.alive)
    agent.install(mac.alive)
    assert mac.alive()
