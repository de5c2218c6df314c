"""What cluster_scaling.py printed, as a small SVG: `cluster_plot TARGET`, its lines on stdin.

Efficiency over the number of workers, a line for each length of recording and way to the workers.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

_WIDTH, _HEIGHT, _LEFT, _TOP = 480, 260, 46, 14  # points; the plot itself is inside the margins
_INNER_WIDTH, _INNER_HEIGHT = 320, 200
_COLOURS = ("#1f77b4", "#d62728", "#2ca02c", "#9467bd")
_WANTED = 0.95
_LINE = 13  # points between two names

Point = tuple[int, float]  # workers, efficiency
Place = Callable[[Point], tuple[float, float]]  # where that is in the plot


def draw(series: Mapping[str, Sequence[Point]], target: Path) -> None:
    """`series` by what stands beside its line."""
    workers = sorted({workers for points in series.values() for workers, _ in points})

    def place(point: Point) -> tuple[float, float]:
        across = math.log2(point[0]) / max(1.0, math.log2(workers[-1]))
        return _LEFT + across * _INNER_WIDTH, _TOP + (1 - point[1]) * _INNER_HEIGHT

    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}"'
        ' font-family="sans-serif" font-size="11">'
    )
    middle = _LEFT + _INNER_WIDTH / 2
    axis = f'<text x="{middle}" y="{_HEIGHT - 8}" text-anchor="middle">workers; efficiency</text>'
    parts = [head, *_grid(workers, place), *_lines(series, place), axis, "</svg>", ""]
    target.write_text("\n".join(parts), encoding="utf-8")


def _grid(workers: Sequence[int], place: Place) -> Iterator[str]:
    yield f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>'
    for level in (0.0, 0.25, 0.5, 0.75, _WANTED, 1.0):
        x, y = place((1, level))
        dash = ' stroke-dasharray="4 3"' if level == _WANTED else ""
        yield f'<path d="M{x} {y:.1f}H{x + _INNER_WIDTH}" stroke="#ccc"{dash}/>'
        if level != 1.0:
            yield f'<text x="{x - 6}" y="{y + 4:.1f}" text-anchor="end">{level:.2f}</text>'
    for count in workers:
        x, y = place((count, 0.0))
        yield f'<text x="{x:.1f}" y="{y + 16:.1f}" text-anchor="middle">{count}</text>'


def _lines(series: Mapping[str, Sequence[Point]], place: Place) -> Iterator[str]:
    names: list[tuple[float, float, str, str]] = []
    for colour, (name, points) in zip(_COLOURS, series.items(), strict=False):
        places = [place(point) for point in sorted(points)]
        way = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        yield f'<path d="M{way}" fill="none" stroke="{colour}" stroke-width="2"/>'
        for x, y in places:
            yield f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>'
        names.append((places[-1][1], places[-1][0], colour, name))
    above = -math.inf
    for y, x, colour, name in sorted(names):  # from the top: none over another
        above = max(y, above + _LINE)
        yield f'<text x="{x + 8:.1f}" y="{above + 4:.1f}" fill="{colour}">{name}</text>'


def main() -> None:
    series: dict[str, list[Point]] = {}
    for line in sys.stdin:
        found = json.loads(line)
        name = f"{found['seconds']:.0f} s each, {found['through']}"
        series.setdefault(name, []).append((found["workers"], found["efficiency"]))
    draw(series, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
