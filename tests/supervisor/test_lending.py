"""Which of the files that wait go to other machines, and in which order."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daemon.domain.job import Candidate, Identity, Job
from daemon.handoff.protocol import HostState
from daemon.ledger.ledger import Ledger
from daemon.supervisor import lending
from tests.kit.daemon_process import configured

MB = 1_000_000
SIZES = {"memo": 1, "first": 2, "film": 900, "note": 3, "talk": 50, "book": 400, "call": 20}


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """The files, as they came, of so many MB."""
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        found = [
            Candidate(tmp_path / f"{name}.m4a", Identity(size * MB, 1, 1, inode))
            for inode, (name, size) in enumerate(SIZES.items())
        ]
        ledger.admit(found, 0.0)
        yield ledger


def lent(ledger: Ledger, tmp_path: Path, *states: HostState) -> list[tuple[str, str]]:
    """What goes where, in that order, while this machine has nothing in hand."""
    config = configured(tmp_path, {"transcribe": {"model": "base"}})
    remote = SimpleNamespace(states=lambda: states, changes=lambda: ())
    context: Any = SimpleNamespace(
        attempts=SimpleNamespace(remote=remote, lent=lambda: [], of=lambda _: []),
        ledger=ledger,
        config=config,
        config_where_good=lambda _: config,
        folder=lambda number: tmp_path / str(number),
    )
    placed: list[tuple[str, str]] = []

    def begin(job: Job, host: str) -> None:
        placed.append((job.source.stem, host))

    lending.lend_due(context, sorted(ledger.active(), key=lambda job: job.id), begin)
    return placed


def mac(name: str, places: int, speed: float = 20.0) -> HostState:
    stock = 100_000_000, ("base",), (), 64_000 * MB
    return HostState(name, "ready", "", places, speed, *stock)


def test_the_longest_go_first_and_to_whoever_is_done_with_them_first(
    ledger: Ledger, tmp_path: Path
) -> None:
    """The first two files stay here; the film keeps mac2 busy for longer than all the others."""
    placed = lent(ledger, tmp_path, mac("mac2", 2), mac("mac3", 2))
    assert placed == [("film", "mac2"), ("book", "mac3"), ("talk", "mac3"), ("call", "mac2")]


def test_the_longest_file_goes_to_the_faster_machine(ledger: Ledger, tmp_path: Path) -> None:
    placed = lent(ledger, tmp_path, mac("slow", 1, 5.0), mac("fast", 1, 40.0))
    assert placed == [("film", "fast"), ("book", "slow")]


def test_no_machine_is_asked_for_more_than_it_takes(ledger: Ledger, tmp_path: Path) -> None:
    placed = lent(ledger, tmp_path, mac("mac2", 1), mac("away", 0))
    assert placed == [("film", "mac2")]
