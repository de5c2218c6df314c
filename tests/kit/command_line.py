"""The command line in this process, and with fake stages where a test does not need real ones.

A process of its own costs a second of imports: only those tests start one that kill it, trace it,
or look at its environment. test_readme_commands.py runs verbs as a user does.
"""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from loguru import logger

from daemon.__main__ import main
from daemon.commands import lend, realign, run, transcribe
from daemon.config.settings import Config
from daemon.models.hardware import Backend
from daemon.reporting.event_log import EventLog
from daemon.supervisor import application
from daemon.supervisor.application import Application, Commands
from tests.kit.fake_commands import fake_commands

RETRY_SECONDS = 0.2  # a pause's, in tests


@contextlib.contextmanager
def fake_stages(behaviour: Mapping[str, str], real: Sequence[str] = ()) -> Iterator[None]:
    """Every command starts fake stages that behave so, but for the `real` ones."""

    def commands(config: Config, backend: Backend) -> Commands:
        genuine = application.stage_commands(config, backend) if real else {}
        kept = {stage: command for stage, command in genuine.items() if stage in real}
        return fake_commands(**behaviour) | kept

    with contextlib.ExitStack() as changed:
        for module in (run, realign, transcribe, lend):
            changed.callback(setattr, module, "stage_commands", module.stage_commands)
            module.stage_commands = commands  # type: ignore[attr-defined]
        yield


@contextlib.contextmanager
def short_pauses(seconds: float = RETRY_SECONDS) -> Iterator[None]:
    """How long a pause of `dropscribe run` lasts before its cause is looked at again."""

    class Impatient(Application):
        @classmethod
        def open(
            cls, config: Config, commands: Commands, event_log: EventLog, *_: float
        ) -> AbstractContextManager[Application]:
            return Application.open(config, commands, event_log, seconds)

    run.Application = Impatient  # type: ignore[misc]
    try:
        yield
    finally:
        run.Application = Application  # type: ignore[misc]


@contextlib.contextmanager
def deaf_to_signals() -> Iterator[None]:
    """In this process, signals are pytest's: a stop of the tests is no polite stop of a daemon."""
    before = run._STOPPING
    run._STOPPING = ()
    try:
        yield
    finally:
        run._STOPPING = before


def call(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    """What a process with these arguments would have printed and answered."""
    output, errors = io.StringIO(), io.StringIO()
    mask = os.umask(0)
    os.umask(mask)
    try:
        with (
            contextlib.chdir(cwd or Path.cwd()),
            contextlib.redirect_stdout(output),
            contextlib.redirect_stderr(errors),
        ):
            code = _answer(arguments)
    finally:
        os.umask(mask)
        logger.remove()
    return subprocess.CompletedProcess(arguments, code, output.getvalue(), errors.getvalue())


def _answer(arguments: Sequence[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
