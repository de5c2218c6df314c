"""`--json` is the same everywhere: objects, or a line each, with the version of their schema."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import daemon.commands
from daemon.__main__ import ROOT, main
from tests.kit.queue_on_disk import QueueOnDisk

README = (Path(daemon.commands.__file__).parent / "README.md").read_text(encoding="utf-8")
OBJECTS = ("status", "show 1", "doctor", "config show", "cluster status")
LINES = ("jobs", "inbox", "search hello", "languages", "models list", "models plan", "wait 1")


@pytest.fixture
def queue(tmp_path: Path) -> QueueOnDisk:
    queue = QueueOnDisk(tmp_path / "q")
    queue.done("talk.mp4", "talk")
    queue.waiting("waits.wav")
    return queue


def _answer(queue: QueueOnDisk, words: str, capsys: pytest.CaptureFixture[str]) -> str:
    main([*words.split(), "--json", "--config", str(queue.config_path)])
    return capsys.readouterr().out


def _documented(command: str) -> set[str]:
    """The fields that README.md lists for a command."""
    (row,) = [line for line in README.splitlines() if line.startswith(f"| `{command}")]
    return set(re.findall(r"`(\w+)`", row.split("|")[3]))


@pytest.mark.parametrize("words", OBJECTS)
def test_an_object_has_a_version_and_documented_fields(
    words: str, queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    answer = json.loads(_answer(queue, words, capsys))
    assert answer.pop("schema_version") == 1
    if words != "config show":  # its fields are the configuration's tables
        assert set(answer) == _documented(words.rstrip(" 1"))


@pytest.mark.parametrize("words", LINES)
def test_a_line_has_a_version_and_documented_fields(
    words: str, queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [json.loads(line) for line in _answer(queue, words, capsys).splitlines()]
    assert lines
    documented = _documented(words.removesuffix(" 1").removesuffix(" hello"))
    for line in lines:
        assert line.pop("schema_version") == 1
        assert set(line) == documented


def test_every_command_with_json_is_documented() -> None:
    context = ROOT.make_context("dropscribe", ["version"])
    for name in ROOT.list_commands(context):
        command = ROOT.get_command(context, name)
        inner = getattr(command, "commands", {"": command})
        for sub, verb in inner.items():
            if any("--json" in parameter.opts for parameter in verb.params) and name != "bench":
                assert f"| `{name} {sub}".rstrip() in README
