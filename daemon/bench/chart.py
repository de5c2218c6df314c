"""The tables as one picture: JSON lines on stdin, a PNG named on the command line. A child."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

import matplotlib as mpl

from daemon.bench.measurement import Measurement
from daemon.bench.table import OURS

mpl.use("Agg")

from matplotlib import pyplot as plt
from matplotlib.axes import Axes

_OURS, _THEIRS = "#1f77b4", "#b0b0b0"


def draw(measurements: Sequence[Measurement], target: Path) -> None:
    """Horizontal bars of the medians, whiskers from the fastest to the slowest round."""
    groups = [(name, list(rows)) for name, rows in groupby(measurements, lambda each: each.table)]
    heights = [len(rows) + 1 for _, rows in groups]
    figure, axes = plt.subplots(
        len(groups),
        1,
        figsize=(9, 0.42 * sum(heights) + 0.6 * len(groups)),
        gridspec_kw={"height_ratios": heights},
        squeeze=False,
        layout="constrained",
    )
    for axis, (name, rows) in zip(axes[:, 0], groups, strict=True):
        _bars(axis, name, rows)
    figure.savefig(target, dpi=120)
    plt.close(figure)


def _bars(axis: Axes, name: str, rows: Sequence[Measurement]) -> None:
    medians = [row.median for row in rows]
    spread = [
        [row.median - min(row.seconds) for row in rows],
        [max(row.seconds) - row.median for row in rows],
    ]
    colours = [_OURS if row.system.startswith(OURS) else _THEIRS for row in rows]
    axis.barh([row.system for row in rows], medians, xerr=spread, color=colours)
    axis.invert_yaxis()
    axis.set_title(name, loc="left", fontsize=10)
    axis.set_xlabel("seconds, median; less is better", fontsize=8)


if __name__ == "__main__":
    draw([Measurement.from_json(line) for line in sys.stdin], Path(sys.argv[1]))
