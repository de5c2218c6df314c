"""retry, clear and the inbox: what failed, what was cancelled, what is left alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.domain.job import FailureKind
from tests.kit.queue_on_disk import QueueOnDisk


@pytest.fixture
def queue(tmp_path: Path) -> QueueOnDisk:
    return QueueOnDisk(tmp_path / "q")


def _call(queue: QueueOnDisk, *arguments: str) -> int:
    return main([*arguments, "--config", str(queue.config_path)])


def _failed(queue: QueueOnDisk) -> list[str]:
    return sorted(path.name for path in queue.config.paths.failed.iterdir())


def test_retry_all_leaves_what_was_cancelled(queue: QueueOnDisk) -> None:
    queue.failed("bad.wav")
    queue.failed("unwanted.wav", FailureKind.CANCELLED)
    assert _call(queue, "retry", "--all") == 0
    assert _failed(queue) == ["unwanted.wav", "unwanted.wav.error.json"]
    assert (queue.config.paths.inbox / "bad.wav").exists()
    assert _call(queue, "retry", "unwanted.wav") == 0
    assert _failed(queue) == []


@pytest.mark.parametrize("which", ["1", "job-001", "bad.wav", "path"])
def test_a_failure_that_was_seen_to_is_counted_no_more(
    which: str, queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.failed("bad.wav")
    queue.failed("other.wav")
    path = str(queue.config.paths.failed / "bad.wav")
    assert _call(queue, "clear", path if which == "path" else which) == 0
    assert f"bad.wav: cleared; it stays in {queue.config.paths.failed}" in capsys.readouterr().out
    assert _failed(queue) == ["bad.wav", "other.wav", "other.wav.error.json"]
    assert _call(queue, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["failed"] == 1


@pytest.mark.parametrize("which", ["bad.wav", "German/bad.wav", "1", "path"])
def test_a_failure_in_a_folder_is_counted_and_goes_back_into_that_folder(
    which: str, queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.failed("German/bad.wav")
    assert _call(queue, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["failed"] == 1
    path = str(queue.config.paths.failed / "German" / "bad.wav")
    (queue.config.paths.inbox / "German").rmdir()  # as when its last recording has left it
    assert _call(queue, "retry", path if which == "path" else which) == 0
    assert "German/bad.wav: back in the inbox" in capsys.readouterr().out
    assert (queue.config.paths.inbox / "German" / "bad.wav").is_file()
    assert list((queue.config.paths.failed / "German").iterdir()) == []


def test_clear_wants_to_know_which(queue: QueueOnDisk) -> None:
    queue.failed("bad.wav")
    assert _call(queue, "clear") == 2
    assert _call(queue, "clear", "none.wav") == 1
    assert _call(queue, "clear", "--all") == 0
    assert _failed(queue) == ["bad.wav"]


def test_the_inbox_tells_what_is_left_alone_and_why(
    queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.waiting("waits.wav")
    inbox = queue.config.paths.inbox
    (inbox / "fresh.wav").write_bytes(b"sound")
    (inbox / "notes.pdf").touch()
    (inbox / "half.wav.part").touch()
    (inbox / "holiday").mkdir()
    (inbox / "holiday" / "photo.jpg").touch()
    (inbox / "holiday" / "dropscribe.toml").touch()
    (inbox / "fresh.toml").touch()
    (inbox / "link.wav").symlink_to("/nowhere")
    assert _call(queue, "inbox", "--json") == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    told = {line["name"]: (line["state"], line["reason"]) for line in lines}
    assert told["waits.wav"][0] == "job 1, next: prepare"
    assert told["fresh.wav"][0].startswith("settling")
    assert told["notes.pdf"] == ("left alone", "a text or document")
    assert told["half.wav.part"] == ("left alone", "another program is not done with it")
    assert told["link.wav"][0] == "refused"
    assert told["holiday/photo.jpg"][0] == "left alone"
    assert told["fresh.toml"] == ("settings", "for the recording fresh")
    folder = told["holiday/dropscribe.toml"]
    assert folder == ("settings", "for every recording in this folder")
    assert _call(queue, "status", "--json") == 0
    assert json.loads(capsys.readouterr().out)["left_alone"] == 2  # settings are used
