"""launchctl's commands as they are sent, and its exit codes in words."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from launchd import command, launchctl
from launchd.command import Reply
from launchd.launchctl import Launchctl, explain

SOURCE = "".join(path.read_text() for path in Path(launchctl.__file__).parent.glob("*.py"))


def sent(code: int = 0) -> tuple[Launchctl, list[tuple[Sequence[str], float]]]:
    calls: list[tuple[Sequence[str], float]] = []

    def run(argv: Sequence[str], seconds: float) -> Reply:
        calls.append((argv, seconds))
        return Reply(code, "")

    return Launchctl("local.dropscribe", 501, run), calls


def test_every_command_names_the_users_desktop_session() -> None:
    ctl, calls = sent()
    ctl.enable()
    ctl.bootstrap(Path("/Users/mac/Library/LaunchAgents/local.dropscribe.plist"))
    ctl.bootout(20)
    ctl.kickstart()
    assert ctl.loaded()
    assert [" ".join(argv) for argv, _ in calls] == [
        "launchctl enable gui/501/local.dropscribe",
        "launchctl bootstrap gui/501 /Users/mac/Library/LaunchAgents/local.dropscribe.plist",
        "launchctl bootout gui/501/local.dropscribe",
        "launchctl kickstart gui/501/local.dropscribe",
        "launchctl print gui/501/local.dropscribe",
    ]


def test_bootout_may_take_longer_than_the_program_may_take_to_leave() -> None:
    ctl, calls = sent()
    ctl.bootout(20)
    assert calls[0][1] > 20


def test_loaded_rests_on_the_exit_code_alone() -> None:
    ctl, _ = sent(code=113)
    assert not ctl.loaded()


@pytest.mark.parametrize("word", ['"load"', '"unload"', '"list"', '"-k"', '"remove"'])
def test_commands_that_lie_or_kill_are_not_used(word: str) -> None:
    assert word not in SOURCE


@pytest.mark.parametrize("code", [3, 5, 36, 37, 78, 109, 112, 113, 119, 122, 124, 125, 134, 161])
def test_a_known_code_says_what_to_do_now(code: int) -> None:
    line = explain("load the service", Reply(code, "Bootstrap failed:\nno reason"))
    assert f"could not load the service (code {code}: Bootstrap failed: no reason)" in line
    assert any(
        remedy in line
        for remedy in ("dropscribe ", "Try again", "try again", "Log in", "System Settings")
    )


def test_an_unknown_code_names_the_command_that_explains_it() -> None:
    assert "launchctl error 99" in explain("load the service", Reply(99, ""))


def test_a_command_that_hangs_is_ended_and_answers_124() -> None:
    reply = command.run([sys.executable, "-c", "import time; time.sleep(60)"], 0.1)
    assert reply.code == command.TIMED_OUT
    assert "did not answer" in reply.text


def test_a_command_that_is_not_there_answers_127() -> None:
    reply = command.run(["/nowhere/launchctl"], 1)
    assert reply == Reply(command.NOT_FOUND, "there is no /nowhere/launchctl on this machine")


def test_a_command_gives_both_its_streams_and_its_code() -> None:
    program = "import sys; print('out', flush=True); print('err', file=sys.stderr); sys.exit(5)"
    assert command.run([sys.executable, "-c", program], 30) == Reply(5, "out\nerr")
