"""Paired measurements: systems take turns, so that what slows the machine slows all of them."""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

Note = str | float | int


@dataclass(frozen=True, slots=True)
class Measurement:
    """One row of a table: what one system took, in each round, for the same work."""

    table: str
    system: str
    seconds: tuple[float, ...]
    notes: Mapping[str, Note] = field(default_factory=dict)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)

    @classmethod
    def from_json(cls, line: str) -> Measurement:
        data = json.loads(line)
        return cls(data["table"], data["system"], tuple(data["seconds"]), data["notes"])


@dataclass(frozen=True, slots=True)
class System:
    """Something to measure. `run` does `pieces` of work and returns its notes."""

    run: Callable[[], Mapping[str, Note]]
    pieces: int = 1


def paired(
    table: str, systems: Mapping[str, System], rounds: int, *, warm_up: bool = True
) -> list[Measurement]:
    """Run all systems in turn, `rounds` times (A B A B …), after each has run once to warm up."""
    notes = {name: system.run() for name, system in systems.items()} if warm_up else {}
    seconds: dict[str, list[float]] = {name: [] for name in systems}
    for _ in range(rounds):
        for name, system in systems.items():
            start = time.perf_counter()
            notes[name] = system.run()
            seconds[name].append((time.perf_counter() - start) / system.pieces)
    return [Measurement(table, name, tuple(seconds[name]), notes[name]) for name in systems]


def merged(rows: Iterable[Measurement]) -> list[Measurement]:
    """One row for each table and system, of rows of one round; the notes are the last round's."""
    found: dict[tuple[str, str], Measurement] = {}
    for row in rows:
        before = found.get((row.table, row.system))
        seconds = (*before.seconds, *row.seconds) if before else row.seconds
        found[row.table, row.system] = replace(row, seconds=seconds)
    return list(found.values())


def report(measurements: Sequence[Measurement]) -> None:
    """A child's answer: one line of JSON for each."""
    for measurement in measurements:
        sys.stdout.write(json.dumps(asdict(measurement)) + "\n")
    sys.stdout.flush()
