"""`logs`: the end of the log, or what it says of one file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.files.state_folder import JOBS
from daemon.handoff import artefacts
from tests.kit.queue_on_disk import QueueOnDisk


@pytest.fixture
def queue(tmp_path: Path) -> QueueOnDisk:
    """Two jobs, with a log that was rotated between them."""
    queue = QueueOnDisk(tmp_path / "q")
    for name in ("one", "two"):
        job = queue.done(f"{name}.wav", name)
        folder = queue.config.paths.state / JOBS / str(job.id)
        folder.mkdir(parents=True)
        (folder / artefacts.LOG).write_text(f"\x1b[31m{name}: the library complains\x1b[m\n")
    logs = queue.config.paths.logs
    (logs / "events.2026-01-01.jsonl").write_text(_event(1, "queued") + '{"torn')
    (logs / "events.jsonl").write_text(_event(1, "done") + _event(2, "done"))
    (logs / "daemon.log").write_text("first\nsecond\nthird\n")
    return queue


def _event(job: int, message: str) -> str:
    return json.dumps({"time": "t", "level": "info", "job": job, "message": message}) + "\n"


def _said(queue: QueueOnDisk, capfd: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    assert main(["logs", *arguments, "--config", str(queue.config_path)]) == 0
    return capfd.readouterr().out.splitlines()


@pytest.mark.parametrize("which", ["1", "job-001", "one.wav"])
def test_the_log_of_a_file_is_what_was_said_of_it_and_by_its_processes(
    which: str, queue: QueueOnDisk, capfd: pytest.CaptureFixture[str]
) -> None:
    title, said, queued, done = _said(queue, capfd, which)
    assert (queued, done) == ("t info queued", "t info done")
    assert title.endswith("jobs/1/job.log:")
    assert said == "  one: the library complains"  # in a terminal, too, no colours of others
    assert _said(queue, capfd, which, "-n", "1") == [done]


def test_the_end_of_the_whole_log(queue: QueueOnDisk, capfd: pytest.CaptureFixture[str]) -> None:
    assert _said(queue, capfd, "-n", "2") == ["second", "third"]


def test_one_file_is_not_followed(queue: QueueOnDisk, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["logs", "1", "-f", "--config", str(queue.config_path)]) == 2
    assert "-f follows the whole log" in capfd.readouterr().err
