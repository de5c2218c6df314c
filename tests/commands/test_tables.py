"""One line on a terminal, and nothing anywhere else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import cast

import pytest

from daemon.commands.tables import ProgressBar
from daemon.domain.job import Candidate, Identity, Stage
from daemon.handoff.protocol import Progress
from daemon.ledger.ledger import Ledger
from daemon.processes.attempt import Attempt, AttemptLimits
from daemon.processes.worker import Worker


class _Terminal(io.StringIO):
    """What a person would look at."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger.db")) as opened:
        opened.admit([Candidate(Path("/in/a.wav"), Identity(1, 1, 1, 1))], 1.0)
        yield opened


def _run(ledger: Ledger) -> Attempt:
    job = ledger.job(1)
    assert job is not None
    worker = cast(Worker, object())  # never asked for anything
    run = Attempt(
        job, Stage.TRANSCRIBE, "abc", worker, AttemptLimits(1, 1, 1), begun=0.0, heard=0.0
    )
    run.on_progress(Progress("abc", 30.0, 60.0), 1.0)
    return run


def test_a_terminal_shows_how_far_each_file_is(ledger: Ledger) -> None:
    terminal = _Terminal()
    bar = ProgressBar(terminal, {1: "a.wav"})
    bar.show([_run(ledger)], ledger)
    shown = terminal.getvalue()
    assert "0/1 files" in shown
    assert "a.wav transcribe" in shown
    assert "50%" in shown
    bar.close()
    assert terminal.getvalue().endswith("\r")
    assert "\n" not in terminal.getvalue()


def test_what_has_not_changed_is_not_drawn_again(ledger: Ledger) -> None:
    terminal = _Terminal()
    bar = ProgressBar(terminal, {1: "a.wav"})
    for _ in range(3):
        bar.show([_run(ledger)], ledger)
    assert terminal.getvalue().count("\r") == 1


def test_a_file_or_a_pipe_gets_nothing(ledger: Ledger) -> None:
    stream = io.StringIO()
    bar = ProgressBar(stream, {1: "a.wav"})
    bar.show([_run(ledger)], ledger)
    bar.close()
    assert stream.getvalue() == ""
