"""doctor's look at the service, and the one that launchd itself takes. The launchd is a fake."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from daemon.config.file import save
from daemon.config.settings import Config, Paths
from daemon.files import lock
from daemon.files.lock import FolderLock
from daemon.service import checks
from daemon.service.checks import (
    TEST_LABEL,
    Finding,
    ask_from_launchd,
    check_daemon,
    check_disk,
    check_folders,
    check_permissions,
    check_service,
    inside_the_service,
)
from daemon.service.manager import Host, agent_spec
from launchd import oneshot
from launchd.agent_spec import AgentSpec
from launchd.errors import ServiceError
from tests.kit.fakes.launchd_session import UID, Session, eventually, fake_mac

BLOCKING = (
    (os.path, "lexists"),
    (shutil, "disk_usage"),
    (lock, "is_held"),
    (checks, "check_is_ours"),
)


@pytest.fixture
def mac(monkeypatch: pytest.MonkeyPatch) -> Iterator[Session]:
    with fake_mac(monkeypatch, scale=0.05) as session:
        yield session


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = Config(paths=Paths(**{key: tmp_path / key for key in Paths.__struct_fields__}))
    save(config, tmp_path / "config.toml")
    return config


def look(tmp_path: Path, config: Config, uid: int = UID) -> list[Finding]:
    return list(check_service(tmp_path / "config.toml", config, Host("darwin", uid, tmp_path)))


def program(text: str, folder: Path) -> AgentSpec:
    return AgentSpec((sys.executable, "-c", text), folder, folder / "log")


def test_no_service_is_no_problem(mac: Session, tmp_path: Path, config: Config) -> None:
    (found,) = look(tmp_path, config)
    assert "not installed" in found.text
    assert found.remedy == ""


def test_a_stopped_service_of_another_version_has_two_remedies(
    mac: Session, tmp_path: Path, config: Config
) -> None:
    agents = tmp_path / "Library" / "LaunchAgents"
    agents.mkdir(parents=True)
    spec = agent_spec(tmp_path / "other.toml", config)
    (agents / "local.dropscribe.plist").write_bytes(spec.to_bytes())
    remedies = [check.remedy for check in look(tmp_path, config)]
    assert remedies == [
        "start it with: dropscribe start",
        "bring it up to date with: dropscribe install",
    ]


def test_what_the_service_said_last_is_shown(mac: Session, tmp_path: Path, config: Config) -> None:
    spec = agent_spec(tmp_path / "config.toml", config)
    agents = tmp_path / "Library" / "LaunchAgents"
    agents.mkdir(parents=True)
    (agents / "local.dropscribe.plist").write_bytes(spec.to_bytes())
    config.paths.logs.mkdir()
    spec.log.write_text("Traceback\nImportError: no module named mlx\n")
    assert "no module named mlx" in look(tmp_path, config)[-1].text


def test_a_strangers_plist_is_a_finding_and_not_a_crash(
    mac: Session, tmp_path: Path, config: Config
) -> None:
    agents = tmp_path / "Library" / "LaunchAgents"
    agents.mkdir(parents=True)
    (agents / "local.dropscribe.plist").write_bytes(b"<plist>another's</plist>")
    (found,) = look(tmp_path, config)
    assert "was not written by dropscribe" in found.remedy


def test_a_process_knows_whether_the_service_manager_started_it() -> None:
    assert inside_the_service({"DROPSCRIBE_AGENT": "1"})
    assert not inside_the_service({})


def test_a_program_is_run_once_by_launchd_and_leaves_nothing(mac: Session, tmp_path: Path) -> None:
    text = "import json, os; print(json.dumps(dict(os.environ)))"
    answer = oneshot.ask(program(text, tmp_path), mac.ctl(TEST_LABEL), tmp_path, 30)
    assert isinstance(answer, dict)
    assert answer["XPC_SERVICE_NAME"] == TEST_LABEL
    assert list(tmp_path.iterdir()) == []
    assert len(mac.events("started")) == 1
    eventually(lambda: not mac.ctl(TEST_LABEL).loaded())  # a bootout is asynchronous


def test_a_second_test_waits_until_the_first_has_left(mac: Session, tmp_path: Path) -> None:
    for number in range(2):
        spec = program(f"print({number})", tmp_path)
        assert oneshot.ask(spec, mac.ctl(TEST_LABEL), tmp_path, 30) == number


def test_noise_on_standard_error_does_not_spoil_the_answer(mac: Session, tmp_path: Path) -> None:
    text = "import sys; print('a warning', file=sys.stderr); print('[]')"
    assert oneshot.ask(program(text, tmp_path), mac.ctl(TEST_LABEL), tmp_path, 30) == []


def test_a_program_that_says_nothing_is_given_up(mac: Session, tmp_path: Path) -> None:
    spec = program("import time; time.sleep(60)", tmp_path)
    with pytest.raises(ServiceError, match="did not run a test within 1 seconds"):
        oneshot.ask(spec, mac.ctl(TEST_LABEL), tmp_path, 1)
    assert list(tmp_path.iterdir()) == []


def test_launchd_without_a_desktop_session_is_a_finding(
    mac: Session, tmp_path: Path, config: Config
) -> None:
    elsewhere = replace(mac.ctl(TEST_LABEL), uid=UID + 1)
    (found,) = ask_from_launchd(tmp_path / "config.toml", config, elsewhere)
    assert "Log in at the Mac's own screen" in found.remedy


def test_what_doctor_finds_inside_launchd_is_passed_on(
    mac: Session, tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for a doctor that macOS denies a folder; the rest is the real path."""
    found = [
        {"topic": "inbox", "text": "/Users/mac/Documents", "remedy": "macOS privacy settings deny"},
        {"topic": "disk", "text": "100 GB free", "remedy": ""},
    ]
    text = f"import json; print({json.dumps({'findings': found})!r})"
    spec = program(text, tmp_path)
    monkeypatch.setattr(
        "daemon.service.checks.agent_spec",
        lambda *_: replace(spec, program=(*spec.program, "run")),
    )
    (check,) = ask_from_launchd(tmp_path / "config.toml", config, mac.ctl(TEST_LABEL))
    assert "inbox: /Users/mac/Documents" in check.text
    assert str(Path(sys.executable).resolve()) in check.remedy


def test_the_real_doctor_answers_from_inside_launchd(
    mac: Session, tmp_path: Path, config: Config
) -> None:
    base = structs.replace(config, transcribe=structs.replace(config.transcribe, model="base"))
    save(base, tmp_path / "config.toml")
    ctl = mac.ctl(TEST_LABEL)
    checks = list(ask_from_launchd(tmp_path / "config.toml", base, ctl))
    assert [check.text for check in checks] == ["a test that it ran found nothing wrong"]


def test_a_server_that_is_away_is_found_by_its_folder_and_holds_up_no_other_check(
    config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What blocks is a stand-in: what is asked of the folder waits for a FIFO, in the kernel."""
    for folder in structs.asdict(config.paths).values():
        folder.mkdir()
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setattr(checks, "_FOLDER_SECONDS", 0.1)
    for module, name in BLOCKING:
        real = getattr(module, name)

        def asked(path: Path, *rest: object, real: Callable[..., object] = real) -> object:
            if path == config.paths.state:
                (tmp_path / "fifo").read_bytes()
            return real(path, *rest)

        monkeypatch.setattr(module, name, asked)
    found = [*check_folders(config), *check_permissions(config), *check_disk(config)]
    found += check_daemon(config)
    os.close(os.open(tmp_path / "fifo", os.O_WRONLY))
    assert [finding.text for finding in found if finding.remedy] == [
        f"{config.paths.state} is blocked"
    ]


def test_another_daemon_at_the_same_inbox_is_found(config: Config) -> None:
    config.paths.inbox.mkdir()
    assert [finding.text for finding in check_daemon(config)] == ["not running"]
    with closing(FolderLock(config.paths.inbox)) as other:
        other.hold()
        (_, found) = check_daemon(config)
    assert "another dropscribe watches" in found.text
    assert "an inbox of its own" in found.remedy
