"""In which order the files that wait are prepared."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.domain.job import Candidate, Identity, Job, Stage
from daemon.files.background import Background
from daemon.ledger.ledger import Ledger
from daemon.supervisor.waiting import WaitingJobs
from tests.kit.daemon_process import configured

MANY = 30


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Files, each larger than the one before."""
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        _admit(ledger, *range(1, MANY + 1))
        yield ledger


def _admit(ledger: Ledger, *sizes: int) -> None:
    found = [
        Candidate(Path(f"/in/{size}.wav"), Identity(size * 1_000_000, 1, 1, size)) for size in sizes
    ]
    ledger.admit(found, 0.0)


def _waiting(
    ledger: Ledger, tmp_path: Path, at_work: list[int], held: Collection[int] = ()
) -> WaitingJobs:
    """Of a daemon that prepares the jobs `at_work`, and may not start those that are `held`."""

    class Attempts:
        @property
        def running(self) -> list[SimpleNamespace]:
            return [
                SimpleNamespace(job=SimpleNamespace(id=job), stage=Stage.PREPARE) for job in at_work
            ]

    config = configured(tmp_path, {})
    context: Any = SimpleNamespace(
        ledger=ledger,
        attempts=Attempts(),
        background=Background(lambda: None),
        configs_lately=lambda jobs: dict.fromkeys(jobs, config),
    )
    transitions: Any = SimpleNamespace(may_start=lambda job, now: job not in held)
    return WaitingJobs(context, transitions, None)


def _first(waiting: WaitingJobs, now: float) -> Iterator[Job]:
    return waiting.first_at(Stage.PREPARE, now, by_due=True)


def test_where_many_wait_their_order_holds_for_a_second(ledger: Ledger, tmp_path: Path) -> None:
    waiting = _waiting(ledger, tmp_path, [1])
    assert [job.id for job in _first(waiting, 0.0)] == list(range(2, MANY + 1))
    _admit(ledger, 0)
    ledger.move(2, Stage.TRANSCRIBE)
    assert next(_first(waiting, 0.9)).id == 3
    assert next(_first(waiting, 1.0)).id == MANY + 1


def test_a_file_that_comes_while_no_other_can_start_is_seen_at_once(
    ledger: Ledger, tmp_path: Path
) -> None:
    held: set[int] = set()
    waiting = _waiting(ledger, tmp_path, [1], held)
    next(_first(waiting, 0.0))
    held.update(range(1, MANY + 1))
    assert list(_first(waiting, 0.1)) == []
    _admit(ledger, 0)
    assert [job.id for job in _first(waiting, 0.2)] == [MANY + 1]


def test_a_file_that_comes_while_few_wait_is_seen_at_once(ledger: Ledger, tmp_path: Path) -> None:
    waiting = _waiting(ledger, tmp_path, [1])
    for job in range(5, MANY + 1):
        ledger.move(job, Stage.TRANSCRIBE)
    assert [job.id for job in _first(waiting, 0.0)] == [2, 3, 4]
    _admit(ledger, 0)
    assert next(_first(waiting, 0.1)).id == MANY + 1
