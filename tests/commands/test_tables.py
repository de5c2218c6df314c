"""One line on a terminal, and nothing anywhere else."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from daemon.bench import cpu_speed
from daemon.bench.measurement import Measurement
from daemon.commands import tables
from daemon.domain.job import Candidate, Identity, Stage
from daemon.handoff.protocol import Progress
from daemon.ledger.ledger import Ledger
from daemon.outbox.summary import work_seconds
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


def test_a_terminal_shows_how_far_each_file_is(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    terminal = _Terminal()
    with tables.Progress(terminal, 1) as progress:
        progress.show([_run(ledger)], ledger)
        shown = terminal.getvalue()
    assert "1/1 a.wav" in shown
    assert "transcribe" in shown
    assert "50%" in shown


def test_a_file_or_a_pipe_gets_nothing(ledger: Ledger) -> None:
    stream = io.StringIO()
    with tables.Progress(stream, 1) as progress:
        progress.show([_run(ledger)], ledger)
    assert stream.getvalue() == ""


def _stage(start: int, end: int) -> dict[str, object]:
    moment = "2026-05-04T10:00:{:02d}.000Z"
    return {"start": moment.format(start), "end": moment.format(end)}


def test_the_work_is_what_any_stage_did_without_the_waiting() -> None:
    stages = {
        "queued": _stage(0, 10),
        "prepare": _stage(10, 12),
        "transcribe": _stage(20, 30),
        "align": _stage(25, 33),
        "publish": {"start": None, "end": None},
    }
    assert work_seconds(stages) == 2 + 13


def test_a_gpu_is_compared_with_what_the_cpu_was_measured_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cpu_speed, "_path", lambda: tmp_path / "new" / "cpu-speed.json")
    assert cpu_speed.compared("large-v3", 10.0) == ""
    row = Measurement("talk, large-v3: all of it", "dropscribe (ctranslate2)", (8.0,))
    cpu_speed.remember([replace(row, notes={"× real time": "1.2"})], "large-v3")
    assert cpu_speed.compared("large-v3", 10.0).startswith("8.3 × this machine's CPU, measured ")
    assert cpu_speed.compared("small", 10.0) == ""


def test_a_long_value_goes_on_below_itself_on_a_terminal_and_is_whole_in_a_pipe(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said = "partial (" + "this segment was not heard, " * 5 + ")"
    monkeypatch.setenv("COLUMNS", "80")
    assert tables.row("  alignment", said, 17) == f"  alignment      {said}"
    monkeypatch.setattr("sys.stdout", _Terminal())
    first, *others = tables.row("  alignment", said, 17).splitlines()
    assert first.startswith("  alignment      partial (this ")
    assert others
    assert all(line.startswith(" " * 17) and len(line) <= 80 for line in others)
    path = "/" + "x" * 200
    assert tables.row("  outputs", f"{path} .txt", 17).splitlines()[0].endswith(path)
