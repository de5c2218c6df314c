#!/usr/bin/env python3
"""Strike the daemon at every call that changes a disk; what was struck before is not struck again.

    scripts/crash_loop.py --minutes 8              as many of all points as fit, in random order
    scripts/crash_loop.py --minutes 8              and the next ones: the results are kept
    scripts/crash_loop.py --share 1/2              one of two processes that share the points
    scripts/crash_loop.py --kinds kill --volumes no-links --calls rename,unlink
    scripts/crash_loop.py --table                  what has been struck so far

Kinds: `kill` (kill -9 at that call), `once` and `for-ever` (the call reports an error: one of
ENOSPC, EIO, EDQUOT and EROFS in turn), `kill-again` and `fail-again` (killed at that call, and
struck a second time in the run that recovers). Volumes, for the results: `plain`, `no-links`,
`other-volume`. Then a run without a fault must bring both recordings to exactly one end. Exit code
0 if nothing was broken. Needs strace. The fake stages are forks, or with --compiled a C program,
which takes half of the time: it is the daemon that is struck, not they.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple
from pathlib import Path

from environment import enter

enter("test")

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from tests.kit import fake_commands, fast_stage, forked  # noqa: E402 - found through the line above
from tests.kit.crash_points import CALLS, KINDS, VOLUMES, Point, Trial  # noqa: E402

_COUNTINGS = 3  # undisturbed runs: their numbers of calls differ by a few
Counts = dict[str, dict[str, int]]


class Results:
    """What is known, in a file with a line of JSON for each fact."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.counts: Counts = {}
        self.struck: dict[Point, dict[str, object]] = {}
        for line in path.read_text().splitlines() if path.exists() else []:
            fact = json.loads(line)
            if "counts" in fact:
                self.counts[fact["volume"]] = fact["counts"]
            else:
                self.struck[Point(*fact["point"])] = fact

    def add_counts(self, volume: str, counts: dict[str, int]) -> None:
        self.counts[volume] = counts
        self._append({"volume": volume, "counts": counts})

    def add(self, point: Point, met: int, problems: list[str]) -> None:
        self.struck[point] = {"point": astuple(point), "met": met, "problems": problems}
        self._append(self.struck[point])

    def _append(self, fact: dict[str, object]) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps(fact) + "\n")


def count_calls(results: Results, volume: str, folder: Path) -> None:
    counts: Counter[str] = Counter()
    for number in range(_COUNTINGS):
        root = folder / f"counting-{number}"
        counts |= Trial(root, volume, forked.run).counted()
        shutil.rmtree(root)
    results.add_counts(volume, {call: counts[call] for call in CALLS})


def strike(results: Results, point: Point, folder: Path) -> None:
    root = Path(tempfile.mkdtemp(prefix="trial-", dir=folder))
    try:
        met, problems = Trial(root / "d", point.volume, forked.run).struck(point)
    except AssertionError as error:
        met, problems = 0, [f"{error}"]
    results.add(point, met, problems)
    if problems:
        print(f"BROKEN {point}: {problems}; folders: {root}", flush=True)
    else:
        shutil.rmtree(root)


@contextmanager
def _stages(are_compiled: bool, folder: Path) -> Iterator[None]:
    """What the daemons of the trials start."""
    if are_compiled:
        made = Path(tempfile.mkdtemp(prefix="stages-", dir=folder))
        fake_commands.START = (str(fast_stage.compiled(made)), "0")
        yield
        shutil.rmtree(made)
    else:
        with forked.stage_server() as fake_commands.START:
            yield


def points(counts: Counts, arguments: argparse.Namespace) -> list[Point]:
    """All that were asked for, in a random order that is always the same."""
    combinations = itertools.product(arguments.volumes, arguments.kinds, arguments.calls)
    found = [
        Point(volume, kind, call, number)
        for volume, kind, call in combinations
        for number in range(1, counts[volume][call] + 1)
    ]
    random.Random(1).shuffle(found)
    number, among = arguments.share
    return found[number - 1 :: among]


def table(results: Results) -> str:
    total, struck, broken, met = Counter[str](), Counter[str](), Counter[str](), Counter[str]()
    for point, fact in results.struck.items():
        row = f"{point.volume or 'plain':<14}{point.kind:<12}"
        struck[row] += 1
        broken[row] += bool(fact["problems"])
        met[row] += fact["met"] == len(point.strikes())
    for volume, counts in results.counts.items():
        for kind in KINDS:
            total[f"{volume or 'plain':<14}{kind:<12}"] = sum(counts.values())
    head = f"{'volume':<14}{'kind':<12}{'points':>8}{'tried':>8}{'all met':>8}{'broken':>8}"
    lines = [
        f"{row}{total[row]:>8}{struck[row]:>8}{met[row]:>8}{broken[row]:>8}"
        for row in sorted(total)
    ]
    sums = (total.total(), struck.total(), met.total(), broken.total())
    return "\n".join([head, *lines, " " * 26 + "".join(f"{number:>8}" for number in sums)])


def _share(text: str) -> tuple[int, int]:
    number, among = (int(part) for part in text.split("/"))
    if not 1 <= number <= among:
        raise ValueError(text)
    return number, among


def _words(allowed: Sequence[str]) -> Callable[[str], list[str]]:
    def split(text: str) -> list[str]:
        words = text.split(",")
        if unknown := set(words) - set(allowed):
            raise argparse.ArgumentTypeError(f"{sorted(unknown)}; there are {', '.join(allowed)}")
        return words

    return split


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = [volume or "plain" for volume in VOLUMES]
    parser.add_argument("--kinds", type=_words(KINDS), default=KINDS)
    parser.add_argument("--volumes", type=_words(names), default=names)
    parser.add_argument("--calls", type=_words(CALLS), default=CALLS)
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin nothing new then")
    parser.add_argument("--share", type=_share, default=(1, 1), metavar="K/N")
    parser.add_argument("--results", type=Path, default=Path("crash-loop.jsonl"))
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="for the trials")
    parser.add_argument("--compiled", action="store_true", help="fake stages that are in C")
    parser.add_argument("--table", action="store_true", help="strike nothing")
    arguments = parser.parse_args()
    arguments.volumes = ["" if name == "plain" else name for name in arguments.volumes]
    return arguments


def main() -> int:
    arguments = _arguments()
    until = time.monotonic() + arguments.minutes * 60
    results = Results(arguments.results)
    if not arguments.table:
        folder = Path(tempfile.mkdtemp(prefix="dropscribe-crash-", dir=arguments.folder))
        with _stages(arguments.compiled, folder):
            for volume in arguments.volumes:
                if volume not in results.counts:
                    count_calls(results, volume, folder)
            for point in points(results.counts, arguments):
                if time.monotonic() > until:
                    break
                if point not in results.struck:
                    strike(results, point, folder)
        if not any(folder.iterdir()):
            folder.rmdir()
    print(table(results))
    return 1 if any(fact["problems"] for fact in results.struck.values()) else 0


if __name__ == "__main__":
    raise SystemExit(main())
