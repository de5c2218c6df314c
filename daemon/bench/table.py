"""Measurements as text: one table for each kind of work, ours first, the others as ratios to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import groupby

from daemon.bench.measurement import Measurement

OURS = "dropscribe"


def tables(measurements: Iterable[Measurement]) -> str:
    """All tables, in the order in which they were measured."""
    groups = groupby(measurements, key=lambda each: each.table)
    return "\n\n".join(_table(name, list(rows)) for name, rows in groups)


def ratio(measurement: Measurement, rows: Sequence[Measurement]) -> float | None:
    """How many times faster ours is than a peer.

    None for ours, however it ran, and where ours is not there or took no time.
    """
    ours = next((row for row in rows if row.system.startswith(OURS)), None)
    if ours is None or measurement.system.startswith(OURS) or not ours.median:
        return None
    return measurement.median / ours.median


def _table(name: str, rows: Sequence[Measurement]) -> str:
    cells = [("", "median", "from – to", "ours is", "")]
    cells += [_row(row, ratio(row, rows)) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*cells, strict=True)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in cells
    ]
    return "\n".join([name, *lines])


def _row(row: Measurement, faster: float | None) -> tuple[str, str, str, str, str]:
    notes = ", ".join(f"{name} {value}" for name, value in row.notes.items())
    span = f"{_seconds(min(row.seconds))} – {_seconds(max(row.seconds))}"
    return (
        row.system,
        _seconds(row.median),
        span if len(row.seconds) > 1 else "",
        f"{faster:.2f} × faster" if faster is not None else "",
        notes,
    )


def _seconds(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{seconds * 1e3:.1f} ms"
