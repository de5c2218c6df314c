"""One line for people, one JSON object for programs."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from loguru import logger

from daemon.domain.job import Identity, Job, Stage
from daemon.reporting.event_log import EventLog, open_logs

JOB = Job(7, Path("/in/a\nb.wav"), Identity(1, 2, 3, 4), Stage.PREPARE, 0.0)


@pytest.fixture(autouse=True)
def _closed() -> Iterator[None]:
    yield
    logger.remove()


def _events(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "events.jsonl").read_text().splitlines()]


def test_an_event_is_told_twice(tmp_path: Path) -> None:
    open_logs(tmp_path, echo=False)
    EventLog().info("queued", "queued {now} <b>", JOB, bytes=5)
    (event,) = _events(tmp_path)
    assert event.pop("time")
    assert event == {
        "level": "info",
        "event": "queued",
        "job": 7,
        "name": "a\\nb.wav",
        "bytes": 5,
        "message": "#7 a\\nb.wav: queued {now} <b>",
    }
    (line,) = (tmp_path / "daemon.log").read_text().splitlines()
    assert line.endswith("INFO    #7 a\\nb.wav: queued {now} <b>")


def test_warnings_stand_out(tmp_path: Path) -> None:
    open_logs(tmp_path, echo=False)
    EventLog().warning("paused", "the disk is full")
    assert _events(tmp_path)[0]["level"] == "warning"
    assert " WARNING " in (tmp_path / "daemon.log").read_text()


def test_logs_are_private_even_under_a_lax_umask(tmp_path: Path) -> None:
    open_logs(tmp_path / "logs", echo=False)
    EventLog().info("started", "started")
    for path in (tmp_path / "logs").iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700


def test_the_console_hears_it_only_if_asked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    open_logs(tmp_path, echo=False)
    EventLog().info("started", "silently")
    open_logs(tmp_path, echo=True)
    EventLog().info("started", "aloud")
    said = capsys.readouterr().err
    assert "aloud" in said
    assert "silently" not in said


def test_libraries_have_no_say(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    open_logs(tmp_path, echo=True)
    logging.getLogger("some.library").warning("chatter")
    assert "chatter" not in (tmp_path / "daemon.log").read_text()
    assert "chatter" not in capsys.readouterr().err


def test_a_traceback_shows_no_variables(tmp_path: Path) -> None:
    """They may hold what somebody said."""
    open_logs(tmp_path, echo=False)
    spoken = "a secret"
    try:
        raise ValueError(len(spoken))
    except ValueError:
        logger.opt(exception=True).critical("unexpected")
    assert "ValueError" in (tmp_path / "daemon.log").read_text()
    assert "a secret" not in (tmp_path / "daemon.log").read_text()


def test_every_event_is_documented() -> None:
    root = Path(__file__).parents[2]
    sources = [path.read_text(encoding="utf-8") for path in (root / "daemon").rglob("*.py")]
    told = {
        name for text in sources for name in re.findall(r"(?:info|warning)\(\s*\"(\w+)\"", text)
    }
    assert {"queued", "done", "failed"} <= told
    readme = (root / "daemon" / "reporting" / "README.md").read_text(encoding="utf-8")
    assert {name for name in told if f"`{name}`" not in readme} == set()


def test_logs_rotate_before_they_grow_large(tmp_path: Path) -> None:
    open_logs(tmp_path, echo=False)
    for _ in range(11):
        EventLog().info("started", "x" * 1_000_000)
    assert len(list(tmp_path.glob("daemon*.log"))) == 2
    assert all(path.stat().st_size <= 10_500_000 for path in tmp_path.iterdir())
