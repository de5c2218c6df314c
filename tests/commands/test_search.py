"""`dropscribe search`, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.daemon_process import DaemonProcess
from tests.kit.sample_transcripts import document, said


@pytest.fixture
def daemon(tmp_path: Path) -> DaemonProcess:
    daemon = DaemonProcess.on(tmp_path)
    outbox = daemon.config.paths.outbox
    outbox.mkdir(parents=True)
    whole = document([said("We met in Vienna. The budget was agreed.", 65, 70)])
    (outbox / "a #1.json").write_text(json.dumps(whole))
    (outbox / "a #1.html").write_text("<title>a page</title>")
    return daemon


def test_a_hit_is_told_with_its_file_time_and_context(daemon: DaemonProcess) -> None:
    ran = daemon.call("search", "budget", "vienna")
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == "a #1  1:05  We met in Vienna. The budget was agreed.\n"


def test_json_has_the_pages_address_at_the_spot(daemon: DaemonProcess) -> None:
    ran = daemon.call("search", "budget agreed", "--json")
    (hit,) = [json.loads(line) for line in ran.stdout.splitlines()]
    page = (daemon.config.paths.outbox / "a #1.html").as_uri()
    assert hit["address"] == f"{page}#t={hit['start']:g}&q=budget%20agreed"
    assert (hit["name"], hit["source"], hit["found"]) == ("a #1", "memo.wav", "budget")


def test_nothing_found_is_said_and_exits_with_one(daemon: DaemonProcess) -> None:
    ran = daemon.call("search", "zebra")
    assert (ran.returncode, ran.stdout) == (1, "zebra: nobody said this in 1 transcript\n")
    assert daemon.call("search", "!").returncode == 2


def test_whoever_waits_for_a_large_index_is_told(
    daemon: DaemonProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert daemon.call("search", "budget").stderr == ""
    monkeypatch.setattr("daemon.commands.search._MANY", 1)
    assert daemon.call("search", "budget", "--rebuild").stderr == "reading 1 transcripts …\n"
