"""The real daemon and the demo models under the fake launchd: nothing else here is a stand-in.

The fake's times are a quarter of the real ones: ExitTimeOut is 5 s here, which is what launchd
gives a program today that does not ask for more.
"""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

import psutil
import pytest

from daemon.commands import service as verbs
from daemon.commands.service import Setting, setting
from daemon.config.file import save, validated
from daemon.config.settings import Paths
from daemon.service.manager import Host, current_life
from launchd.launch_agent import LaunchAgent
from tests.kit.daemon_process import DEMO, RUNNER, working_in
from tests.kit.fakes.launchd_session import UID, Session, eventually, fake_mac

AUDIO = Path(__file__).parents[1] / "audio"
SCALE = 0.25


@dataclass(frozen=True)
class Mac:
    """A home folder with our configuration in it, and the service that it makes."""

    home: Path
    session: Session

    @property
    def now(self) -> Setting:
        return setting(self.home / "config.toml", Host("darwin", UID, self.home))

    @property
    def paths(self) -> Paths:
        return self.now.config.paths

    @property
    def agent(self) -> LaunchAgent:
        service = self.now.service
        assert isinstance(service, LaunchAgent)
        return service

    def drop(self, name: str, sample: str = "memo-10s.wav") -> None:
        """Copy as the Finder does not: under another name, then renamed."""
        hidden = self.paths.inbox / f".{name}"
        shutil.copyfile(AUDIO / sample, hidden)
        hidden.rename(self.paths.inbox / name)

    def told(self, event: str) -> list[dict[str, object]]:
        log = self.paths.logs / "events.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [entry for line in lines if (entry := json.loads(line))["event"] == event]

    def delivered(self) -> list[str]:
        """Stems of what is complete in the outbox: the JSON comes last."""
        names = (file.name for file in self.paths.outbox.glob("*.json"))
        return sorted(n.removesuffix(".json") for n in names if not n.endswith(".timing.json"))

    def accounted_for(self) -> list[str]:
        """Every recording, wherever it is."""
        folders = (self.paths.inbox, self.paths.done, self.paths.failed)
        return sorted(file.name for folder in folders for file in folder.iterdir())

    def pid(self) -> int:
        life = current_life(self.paths.state)
        assert life is not None
        return life.pid


Start = Callable[..., Mac]


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    def install(align: bool = False) -> Mac:
        folders = {key: tmp_path / key for key in Paths.__struct_fields__}
        given = {
            "paths": folders,
            "watch": {"settle_seconds": 0.1},
            **DEMO,
            "align": {"enabled": align, **DEMO["align"]},
        }
        save(validated(given), tmp_path / "config.toml")
        machine = Mac(tmp_path, session)
        verbs.install(machine.now)
        return machine

    with fake_mac(monkeypatch, SCALE) as session:
        yield install
    _, alive = psutil.wait_procs(working_in(tmp_path), timeout=60)
    assert not alive, "a process outlived the service"


def test_install_then_drop_a_file_then_its_words_are_in_the_outbox(mac: Start) -> None:
    machine = mac(align=True)
    machine.drop("meeting.wav")
    eventually(lambda: machine.delivered() == ["meeting"], seconds=120)
    result = json.loads((machine.paths.outbox / "meeting.json").read_text())
    assert result["alignment"]["status"] == "complete"
    verbs.stop(machine.now)
    verbs.uninstall(machine.now)
    assert machine.accounted_for() == ["meeting.wav"]
    assert machine.delivered() == ["meeting"]
    assert not machine.agent.file.path.exists()


def test_stop_during_a_transcription_is_quick_and_start_goes_on_with_it(mac: Start) -> None:
    machine = mac()
    machine.drop("meeting.mp3", "meeting-60s.mp3")
    eventually(lambda: machine.told("prepared"))
    verbs.stop(machine.now)
    (ended,) = machine.session.events("exited")
    assert ended["status"] == 0, "it had to be killed"
    assert machine.accounted_for() == ["meeting.mp3"]
    verbs.start(machine.now)
    eventually(lambda: machine.delivered() == ["meeting"], seconds=120)


@pytest.mark.slow
def test_a_daemon_that_is_killed_again_and_again_loses_and_doubles_nothing(mac: Start) -> None:
    machine = mac()
    names = [f"take {number}.wav" for number in range(4)]
    for name in names:
        machine.drop(name)
    for _ in range(4):
        time.sleep(2.5)
        os.kill(machine.pid(), 9)
        dead = machine.session.pid()
        eventually(lambda dead=dead: machine.session.pid() not in {dead, None})
        eventually(lambda: current_life(machine.paths.state))
    eventually(lambda: len(machine.delivered()) == 4, seconds=200)
    time.sleep(2)
    assert machine.delivered() == sorted(name.removesuffix(".wav") for name in names)
    assert machine.accounted_for() == names


@pytest.mark.slow
def test_reinstalling_while_busy_loses_nothing(mac: Start) -> None:
    machine = mac()
    for number in range(3):
        machine.drop(f"take {number}.mp3", "meeting-60s.mp3")
        eventually(lambda number=number: len(machine.told("prepared")) > number)
        verbs.install(machine.now)
    eventually(lambda: len(machine.delivered()) == 3, seconds=200)
    assert machine.accounted_for() == ["take 0.mp3", "take 1.mp3", "take 2.mp3"]
    assert {ended["status"] for ended in machine.session.events("exited")} == {0}


@pytest.mark.slow
def test_a_broken_configuration_is_braked_and_heals_by_itself(mac: Start) -> None:
    machine = mac()
    good = (machine.home / "config.toml").read_text()
    agent, paths = machine.agent, machine.paths
    (machine.home / "config.toml").write_text("[paths]\ninbocks = 'x'\n")
    before = len(machine.session.events("started"))
    os.kill(machine.session.pid() or 0, 15)
    eventually(lambda: len(machine.session.events("started")) >= before + 3, seconds=60)
    starts = [entry["at"] for entry in machine.session.events("started")][before:]
    gaps = [later - earlier for earlier, later in pairwise(starts)]
    assert min(gaps) >= agent.spec.throttle_seconds * SCALE
    assert "inbocks" in (paths.logs / "launchd.log").read_text()
    (machine.home / "config.toml").write_text(good)
    eventually(lambda: current_life(paths.state), seconds=60)


@pytest.mark.slow
def test_a_long_recording_survives_stops_kills_and_reinstallation(mac: Start) -> None:
    machine = mac()
    machine.drop("lecture.m4a", "lecture-12min.m4a")
    eventually(lambda: machine.told("prepared"), seconds=60)
    time.sleep(3)
    verbs.stop(machine.now)
    verbs.start(machine.now)
    time.sleep(5)
    os.kill(machine.pid(), 9)
    time.sleep(5)
    verbs.install(machine.now)
    eventually(lambda: machine.delivered() == ["lecture"], seconds=200)
    assert machine.accounted_for() == ["lecture.m4a"]


def test_a_privacy_prompt_that_nobody_answers_does_not_undo_the_installation(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt is a stand-in: the daemon's first look into the inbox waits for a FIFO."""
    folders = {key: tmp_path / key for key in Paths.__struct_fields__}
    save(validated({"paths": folders, **DEMO}), tmp_path / "config.toml")
    folders["inbox"].mkdir()
    os.mkfifo(f"{folders['inbox']}.fifo")
    with fake_mac(monkeypatch, SCALE) as session:
        mac = Mac(tmp_path, session)
        spec = mac.agent.spec
        options = ("--all-real", "--fault", f"list:1:BLOCK:{folders['inbox']}")
        waits = ("--inbox-seconds", "0.2", "--", "--config", str(tmp_path / "config.toml"), "run")
        program = (spec.program[0], str(RUNNER), *options, *waits)
        agent = replace(mac.agent, spec=replace(spec, program=program), alive_seconds=30.0)
        verbs.install(replace(mac.now, service=agent))
        status = folders["state"] / "status.json"
        eventually(lambda: json.loads(status.read_bytes())["state"] == "paused")
        assert "does not answer" in json.loads(status.read_bytes())["reason"]
        verbs.uninstall(replace(mac.now, service=agent))
        (ended,) = session.events("exited")
        assert ended["status"] == 0, "it had to be killed"
