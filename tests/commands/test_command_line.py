"""The command line itself: what is imported when, --config anywhere, help, completion, codes."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from daemon import __version__
from daemon.__main__ import ROOT, main
from daemon.commands.command_line import Command, Group
from tests.kit.queue_on_disk import QueueOnDisk

HEAVY = ("rich", "loguru", "numpy", "torch", "av", "mlx", "whisperx", "psutil", "daemon.supervisor")


def _commands(group: click.Group, words: str) -> Iterator[tuple[str, click.Command]]:
    """Every command below `group`, with the words that call it."""
    context = click.Context(group)
    for name in group.list_commands(context):
        found = group.get_command(context, name)
        assert found is not None
        yield f"{words} {name}", found
        if isinstance(found, click.Group):
            yield from _commands(found, f"{words} {name}")


COMMANDS = dict(_commands(ROOT, "dropscribe"))


def _said(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(arguments) == 0
    return capsys.readouterr().out


def test_every_command_explains_itself() -> None:
    for words, command in COMMANDS.items():
        assert command.help, words
        context = click.Context(command, info_name=words, **command.context_settings)
        assert command.get_help(context).startswith(f"Usage: {words}")


def test_every_example_is_a_command_line_that_is_accepted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("talk.mp4", "talk.m4a", "talk.json"):
        (tmp_path / name).touch()
    for command in (ROOT, *COMMANDS.values()):
        if not isinstance(command, Command | Group):
            continue
        for line, _ in command.examples:
            words = shlex.split(line)
            assert words.pop(0) == "dropscribe"
            context: click.Context = ROOT.make_context("dropscribe", words)
            group: click.Command = ROOT
            while isinstance(group, click.Group):
                rest = [*context._protected_args, *context.args]
                name, found, rest = group.resolve_command(context, rest)
                assert found is not None, line
                context = found.make_context(name, rest, parent=context)
                group = found


@pytest.mark.parametrize("option", ["-V", "--version", "version"])
def test_the_version_is_told(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert _said(capsys, option) == f"dropscribe {__version__}\n"


def test_help_is_a_command_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert _said(capsys, "help") == _said(capsys, "--help") == _said(capsys, "-h")
    assert _said(capsys, "help", "jobs") == _said(capsys, "jobs", "--help")
    assert _said(capsys, "help", "config", "set") == _said(capsys, "config", "set", "-h")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "Usage: dropscribe [OPTIONS] COMMAND"),
        (("stauts",), "Did you mean 'status'?"),
        (("status", "--jsn"), "Usage: dropscribe status"),
        (("config", "sett"), "Did you mean 'set'?"),
        (("help", "nonsense"), "No such command 'nonsense'"),
        (("jobs", "-n", "-1"), "dropscribe: -n: must be a whole number of at least 1"),
        (("jobs", "-n", "abc"), "-n: must be a whole number of at least 1"),
        (("jobs", "-n"), "-n needs a value"),
        (("jobs", "--next", "nowhere"), "--next: must be prepare, transcribe, "),
        (("wait", "--timeout", "nan"), "--timeout: must be a number of at least 0"),
        (("transcribe", "x", "--word_timestamps", "maybe"), "must be true or false"),
        (("transcribe", "x", "--speaker-count", "0"), "must be a whole number from 1 to 100"),
        (("transcribe",), "FILE|FOLDER|-|URL is missing"),
        (("config", "get", "limit"), "limit: no such table; did you mean limits?"),
        (("config", "get", "limits.nope"), "limits.nope: no such key"),
        (("bench", "--rounds", "0"), "--rounds: must be a whole number of at least 1"),
        (("bench", "nofile.wav"), "'nofile.wav' does not exist"),
        (("render", "x", "-f", ""), "no format is named"),
        (("render", "x", "-f", "pdf"), "pdf: no such format"),
        (("transcribe", "x", "-f", "json,pdf"), "no such format"),
        (("retry",), "say which"),
        (("completion", "csh"), "SHELL: must be bash, zsh or fish"),
    ],
)
def test_a_wrong_command_line_ends_with_2_and_says_why(
    arguments: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("Usage:") <= 1


@pytest.mark.parametrize("arguments", ["--config {} config check", "config check --config={}"])
def test_the_configuration_is_named_before_or_after_the_command(
    arguments: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.toml").write_text("[transcribe]\nmodel = 'base'\n")
    line = arguments.format(tmp_path / "mine.toml")
    assert f"{tmp_path / 'mine.toml'}: no problems" in _said(capsys, *line.split())


def test_the_later_configuration_wins(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "mine.toml").write_text("[transcribe]\nmodel = 'base'\n")
    named = str(tmp_path / "mine.toml")
    assert named in _said(capsys, "--config", "/none", "config", "check", "--config", named)


@pytest.mark.parametrize(
    "arguments", [("status",), ("jobs",), ("config", "show"), ("retry", "--all"), ("doctor",)]
)
def test_a_configuration_that_is_not_there_is_an_error(
    arguments: tuple[str, ...], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*arguments, "--config", str(tmp_path / "typo.toml")]) == 2
    assert f"there is no configuration file {tmp_path / 'typo.toml'}" in capsys.readouterr().err


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_gets_its_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    script = _said(capsys, "completion", shell)
    assert script.startswith("# ")
    assert "_DROPSCRIBE_COMPLETE" in script


def test_commands_are_completed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("_DROPSCRIBE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", "dropscribe re")
    monkeypatch.setenv("COMP_CWORD", "1")
    main([])
    words = [line.split(",")[-1] for line in capsys.readouterr().out.splitlines()]
    assert sorted(words) == ["realign", "render", "restart", "retry"]


@pytest.mark.parametrize(
    ("begun", "offered"), [("ta", ["talk.mp4"]), ("", ["2", "talk.mp4"]), ("x", []), ("./t", [])]
)
def test_jobs_are_completed_by_name_or_number_and_files_by_the_shell(
    begun: str,
    offered: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    queue = QueueOnDisk(tmp_path / "q")
    queue.done("talk.mp4", "talk")
    queue.done("two words, a comma.mp4", "two words, a comma")
    monkeypatch.setenv("DROPSCRIBE_CONFIG", str(queue.config_path))
    monkeypatch.setenv("_DROPSCRIBE_COMPLETE", "bash_complete")
    monkeypatch.setenv("COMP_WORDS", f"dropscribe show {begun}")
    monkeypatch.setenv("COMP_CWORD", "2")
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines == ([f"plain,{name}" for name in offered] or [f"file,{begun}"])


@pytest.mark.parametrize("arguments", ["--help", "version", "status", "jobs", "inbox"])
def test_a_command_imports_what_it_needs(arguments: str) -> None:
    """pydantic's import alone took as long as all the rest of `status`."""
    slow = ("pydantic", "rich", "jinja2", "loguru", "importlib.metadata", "hashlib", "tomli_w")
    code = (
        "import json, sys\n"
        "from daemon.__main__ import main\n"
        "main(sys.argv[1:])\n"
        "print(json.dumps(sorted(sys.modules)))"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code, arguments], capture_output=True, check=True, text=True
    )
    modules = json.loads(ran.stdout.splitlines()[-1])
    assert [name for name in HEAVY if name in modules] == []
    assert [name for name in slow if name in modules] == []


def test_a_defect_shows_where_it_is_and_no_variables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(path: Path) -> None:
        secret = " ".join(["what was", "said there"])
        raise RuntimeError(f"{len(secret)}")

    monkeypatch.setattr("daemon.config.file.load", broken)
    monkeypatch.setattr("daemon.reporting.event_log._open", False)  # as in a process of its own
    assert main(["jobs"]) == 3
    said = capsys.readouterr().err
    assert "RuntimeError: 19" in said
    assert "Traceback" in said
    assert "what was said" not in said
