"""`doctor --prove`: each item settled or not, one document that may be pasted.

The launchd is a fake: what it runs is real, so is what is measured there. The trials that load
torch are told here instead of run, but for the slow test.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from daemon.config.file import save
from daemon.config.settings import Config, Paths
from daemon.models.registry import BUNDLED
from daemon.proof import inside, machine, prove
from daemon.proof.items import CouldNotError, Question, Verdict, paste_safe
from daemon.proof.prove import Wishes
from daemon.service.manager import Host
from tests.kit.daemon_process import DaemonProcess
from tests.kit.fakes.launchd_session import UID, Session, fake_mac

SCHEMA = json.loads((BUNDLED / "schemas" / "proof.schema.json").read_bytes())
TOLD: dict[str, dict[str, Any]] = {
    "torch_import": {"seconds": 9.0, "version": "2.8.0"},
    "load_peak": {"peak_bytes": 110, "model_bytes": 100, "cached_bytes": 0},
    "aligner": {"audio_seconds": 30, "cpu": 2.0, "mps": 0.5},
}


@pytest.fixture
def config(tmp_path: Path) -> Config:
    config = Config(paths=Paths(**{key: tmp_path / key for key in Paths.__struct_fields__}))
    save(config, tmp_path / "config.toml")
    return config


def _prove(tmp_path: Path, config: Config, platform: str, *only: str) -> dict[str, dict[str, Any]]:
    host = Host(platform, UID, tmp_path)
    wishes = Wishes(smoke=False, only=only)
    document = prove.prove(tmp_path / "config.toml", config, host, "ctranslate2", wishes)
    jsonschema.validate(document, SCHEMA)
    return {item["name"]: item for item in document["items"]}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prove, "_trial", TOLD.__getitem__)


def test_on_linux_every_item_has_a_verdict_and_a_reason_where_it_has_none(
    tmp_path: Path, config: Config, told: None
) -> None:
    items = _prove(tmp_path, config, "linux")
    could_not = {name for name, item in items.items() if item["verdict"] == "could not"}
    assert could_not == {
        *("system", "login_item", "gpu_in_launchd", "guarded_folders", "dataless"),
        *("letter_case", "sleep"),
    }
    assert {items[name]["verdict"] for name in items.keys() - could_not} == {"proved"}
    assert items["copy"]["found"]["events"]
    assert not list(tmp_path.glob("dropscribe-*"))


def test_the_same_run_is_timed_here_and_inside_launchd(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fake_mac(monkeypatch, scale=0.05) as session:
        items = _prove(tmp_path, config, "darwin", "gpu_in_launchd", "guarded_folders")
        assert _started(session) >= 1
    found = items["gpu_in_launchd"]["found"]
    assert found["terminal"]["run"]["device"] == found["launchd"]["run"]["device"]
    assert found["ratio"] > 0
    assert found["launchd"]["priority"] is not None
    assert found["launchd"]["nice"] == found["terminal"]["nice"]  # Interactive is not throttled
    looks = items["guarded_folders"]["found"]["launchd"]
    assert {"desktop", "documents", "downloads", "icloud_drive", "volumes"} == looks.keys()


def _started(session: Session) -> int:
    return sum(event["label"] == prove.LABEL for event in session.events("started"))


def test_a_launchd_that_refuses_is_told_by_its_code(
    tmp_path: Path, config: Config, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(prove, "_child", lambda *_: {"run": {"seconds": 1.0}, "looks": {}})
    with fake_mac(monkeypatch, scale=0.05):
        host = Host("darwin", UID + 1, tmp_path)  # no session of this user
        document = prove.prove(
            tmp_path / "config.toml", config, host, "mlx", Wishes(only=("gpu_in_launchd",))
        )
    (item,) = document["items"]
    assert item["reason"] == "launchd refused with code 125"


def test_the_command_prints_the_document_and_ends_with_1_if_anything_is_refuted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = DaemonProcess.on(tmp_path)
    done = daemon.call("doctor", "--prove", "--only", "certificates", "--only", "executable")
    assert done.returncode == 0
    assert done.stderr.splitlines() == ["executable: proved", "certificates: proved"]
    jsonschema.validate(json.loads(done.stdout), SCHEMA)
    monkeypatch.setattr(machine, "_FEWEST_AUTHORITIES", 10**6)
    assert daemon.call("doctor", "--prove", "--only", "certificates").returncode == 1


def test_a_folder_is_ok_denied_blocked_or_absent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prompt is a FIFO, the denial an error: this system has neither."""
    for name in ("Desktop", "Documents", "Downloads"):
        (tmp_path / name).mkdir()
    os.mkfifo(tmp_path / "fifo")
    real = os.listdir

    def listdir(path: Path) -> list[str]:
        if path.name == "Documents":
            raise PermissionError(1, "Operation not permitted")
        if path.name == "Downloads":
            (tmp_path / "fifo").read_bytes()
        return real(path)

    monkeypatch.setattr(os, "listdir", listdir)
    monkeypatch.setattr(inside, "look", lambda path: _LOOK(path, 0.2))
    found = inside.looks(tmp_path, tmp_path / "none")
    os.close(os.open(tmp_path / "fifo", os.O_WRONLY))
    assert found == {
        "desktop": "ok",
        "documents": "denied",
        "downloads": "blocked",
        "icloud_drive": "absent",
        "volumes": {},
    }


_LOOK = inside.look


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (CouldNotError("because"), "because"),
        (FileNotFoundError(2, "no", "/Users/ada/secret"), "the system answered ENOENT"),
        (ValueError("/Users/ada/secret"), "ValueError was raised"),
    ],
)
def test_an_error_is_told_without_its_text(error: Exception, reason: str) -> None:
    def ask() -> tuple[bool, dict[str, Any]]:
        raise error

    item = Question("x", "y", "z", ask).settle()
    assert (item.verdict, item.reason) == (Verdict.COULD_NOT, reason)


def test_what_slipped_into_a_text_is_hidden() -> None:
    private = {"/Users/adalove": "~", "adalove": "USER"}
    found = {"a": ["/Users/adalove/x", 3], "b": {"c": "by adalove"}}
    assert paste_safe(found, private) == {"a": ["~/x", 3], "b": {"c": "by USER"}}


@pytest.mark.slow
def test_the_trials_themselves(tmp_path: Path, config: Config) -> None:
    items = _prove(tmp_path, config, "linux", *TOLD)
    for name, item in items.items():
        assert item["verdict"] != "could not", name
