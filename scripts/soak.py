#!/usr/bin/env python3
"""Torment a daemon for a while, then count what became of every file.

    scripts/soak.py --files 500 --kills 100 --seed 1              forked fake stages
    scripts/soak.py --files 1000 --kills 200 --seed 1 --compiled  in a quarter of the time
    scripts/soak.py --files 40 --kills 40 --seed 1 --real         the demo models
    scripts/soak.py --files 500 --kills 100 --compiled --volume no-links  as on exFAT
    scripts/soak.py --files 10000 --kills 2000 --minutes 5        as much of it as fits

Files arrive slowly or at once, are renamed, overwritten and deleted; the daemon and its stages are
killed and stopped at random moments. At the end an undisturbed daemon drains the queue, and a
table tells what was lost, doubled, half-written or left running. Exit code 0 if all of that is 0.

The fake stages are the real PREPARE with another decoder and the real PUBLISH. Compiled ones are
neither (tests/kit/fast_stage.c), but misbehave alike. Both kinds are killed amid their work.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from environment import enter

enter("test")

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from tests.kit import fake_commands, fast_stage, forked, invariant  # noqa: E402 - found through the line above
from tests.kit.daemon_process import DEMO  # noqa: E402
from tests.kit.fault_daemon import FaultDaemon  # noqa: E402
from tests.kit.torment import Torment, sha256  # noqa: E402

_ATTEMPT_MILLISECONDS = "20"  # at most, for a compiled stage: it can be met at work


def drain(daemon: FaultDaemon, options: list[str]) -> None:
    """Undisturbed, to the end; a fault of the machine ends a run early, and the next goes on."""
    for _ in range(100):
        finished = daemon.run_to_end(*options, seconds=3600)
        if finished.returncode == 0:
            return
    print(finished.stderr.decode(errors="replace")[-2000:])


def count(torment: Torment) -> tuple[list[tuple[str, object]], bool]:
    """The table, and whether it is as it should be."""
    daemon = torment.daemon
    ended: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    mixed_up = 0
    for stem, suffixes in invariant.output_sets(daemon).items():
        if "json" in suffixes:
            document = daemon.document(stem)
            digest = document["provenance"]["sha256"]
            ended[digest] += 1
            mixed_up += not torment.real and document["text"] != torment.text(digest)
    done = sum(ended.values())
    for path in daemon.config.paths.failed.iterdir():
        if path.name.endswith(".error.json"):
            kinds[json.loads(path.read_bytes())["kind"]] += 1
        else:
            ended[sha256(path.read_bytes())] += 1
    sets = invariant.output_sets(daemon).values()
    half = sum(len(suffixes) < len(invariant.SUFFIXES) for suffixes in sets)
    lost = sum(ended[digest] == 0 for digest in torment.must)
    doubled = sum(number > 1 for number in ended.values())
    # A slow copy may have looked still and been read half: each such piece must have failed or
    # been replaced, so what was made of bytes that nobody dropped is wrong.
    foreign = sum(digest not in torment.must and digest not in torment.may for digest in ended)
    temporary = len(list(daemon.config.paths.outbox.glob(".*")))
    waiting = len(daemon.inbox_names())
    orphans = len(invariant.orphans(daemon.root))
    bad = {
        "lost": lost,
        "duplicated": doubled,
        "half-written": half + foreign,
        "with another file's words": mixed_up,
        "temporary files": temporary,
        "still waiting": waiting,
        "orphans": orphans,
    }
    rows: list[tuple[str, object]] = [*torment.did.items(), ("done", done)]
    rows += [(f"failed: {kind}", number) for kind, number in sorted(kinds.items())]
    return [*rows, *bad.items()], not any(bad.values())


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=200)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--folder", type=Path, help="to work in; /dev/shm is quickest")
    parser.add_argument("--compiled", action="store_true", help="fake stages that are in C")
    parser.add_argument("--volume", choices=("no-links", "other-volume"), help="for the results")
    parser.add_argument("--real", action="store_true", help="the demo models, not fake stages")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin nothing new then")
    parser.add_argument("--keep", action="store_true", help="leave the folders behind")
    return parser.parse_args()


@contextmanager
def _stages(arguments: argparse.Namespace, root: Path) -> Iterator[None]:
    """What the daemon starts, if they are not real."""
    if arguments.compiled:
        fake_commands.START = (str(fast_stage.compiled(root)), _ATTEMPT_MILLISECONDS)
        yield
    else:
        with forked.stage_server() as fake_commands.START:
            yield


def main() -> int:
    arguments = _arguments()
    root = Path(tempfile.mkdtemp(prefix="dropscribe-soak-", dir=arguments.folder))
    with _stages(arguments, root):
        rows, good = soaked(arguments, root)
    for name, value in rows:
        print(f"  {name:<28}{value:>8}")
    if arguments.keep or not good:
        print(f"folders: {root}")
    else:
        shutil.rmtree(root)
    return 0 if good else 1


def soaked(arguments: argparse.Namespace, root: Path) -> tuple[list[tuple[str, object]], bool]:
    """One soak from its beginning to its end: `count`'s table."""
    stall = {"stall_seconds": 60.0 if arguments.real else 2.0}
    tables = {
        # A slow copy is closed and opened again for each piece, as some recorders do it: its writer
        # is never seen to be done. It grows far more often than it may stand still.
        "watch": {
            "settle_seconds": 1.0,
            "settle_early": False,
            "empty_seconds": 30.0,
            "events": True,
        },
        "limits": {"max_attempts": 10, "max_interruptions": 200, "retry_seconds": 0.1, **stall},
        "align": stall,
    }
    options = ["--all-real"] if arguments.real else []
    if arguments.real:
        tables = {name: {**tables.get(name, {}), **DEMO.get(name, {})} for name in {*tables, *DEMO}}
    if arguments.volume:
        away = root / "away"
        away.mkdir()
        tables["paths"] = {name: str(away / name) for name in ("outbox", "done", "failed")}
        options += ["--volume", f"{away}:{arguments.volume}"]
    daemon = FaultDaemon.on(root, tables).running_with(*options)
    torment = Torment(daemon, random.Random(arguments.seed), arguments.real)
    begun = time.monotonic()
    try:
        torment.run(arguments.files, arguments.kills, begun + arguments.minutes * 60)
        drain(daemon, options)
        table = count(torment)
    finally:
        daemon.end()
    print(f"seed {arguments.seed}, {time.monotonic() - begun:.0f} s")
    return table


if __name__ == "__main__":
    raise SystemExit(main())
