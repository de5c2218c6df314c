"""The real daemon's command line, with fake fast stages and, if asked for, a fault in its calls.

    runner.py [--behaviour JSON] [--fault SPEC] [--volume SPEC] [--real STAGE] … -- ARGUMENTS

ARGUMENTS are those of `python -m daemon`.

Only what a test cannot reach through the configuration is set here: how the stages are started,
how long a pause lasts, and how far the wall clock is off.
"""

from __future__ import annotations

# ruff: noqa: PLC0415 - the path and the clock are set before the daemon is imported
import argparse
import contextlib
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))  # started as a file: tests are not installed


def _parsed(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--behaviour", type=json.loads, default={}, help='as {"align": "segv 1"}')
    parser.add_argument("--fault", default="", help="see shim.py")
    parser.add_argument("--volume", default="", help="see odd_volume.py")
    parser.add_argument("--retry-seconds", type=float, default=0.2)
    parser.add_argument("--inbox-seconds", type=float, help="after which a look is overdue")
    parser.add_argument("--wall-offset", type=Path, help="a file with seconds to add to the clock")
    parser.add_argument("--idle", type=Path, help="a file: for how many seconds nobody is there")
    parser.add_argument(
        "--battery", type=Path, help="a file: while it is there, a battery feeds us"
    )
    parser.add_argument("--real", action="append", default=[], metavar="STAGE")
    parser.add_argument("--all-real", action="store_true")
    parser.add_argument("--start", type=json.loads, help="fake_commands.START, as JSON")
    parser.add_argument("rest", nargs="+")
    return parser.parse_args(arguments)


def _shift_wall_clock(offset: Path) -> None:
    assert not any(name.startswith("daemon.") for name in sys.modules)  # they keep the real one
    real = time.time
    time.time = lambda: real() + (_number_in(offset) if offset.exists() else 0)


def _number_in(file: Path) -> float:
    """What a test wrote there; while it writes, the file is empty for a moment."""
    while not (text := file.read_text()):
        pass
    return float(text)


def _fake_what_a_dask_worker_starts(behaviour: dict[str, str]) -> None:
    from daemon.cluster import dask_lender

    def command(state: Path) -> list[str]:
        runner = [sys.executable, "-s", __file__, "--behaviour", json.dumps(behaviour)]
        return [*runner, "--", "lend", "--state", str(state)]

    dask_lender.lend_command = command


def main(given: Sequence[str]) -> int:
    arguments = _parsed(given)
    if arguments.wall_offset:
        _shift_wall_clock(arguments.wall_offset)
    from daemon.__main__ import main as daemon
    from daemon.cluster import fairness
    from daemon.inbox import reader
    from tests.kit import fake_commands, odd_volume, shim
    from tests.kit.command_line import fake_stages, short_pauses

    if arguments.idle:
        fairness.idle_seconds = lambda: _number_in(arguments.idle)
    if arguments.battery:
        fairness.on_battery = arguments.battery.exists
    if arguments.start:
        fake_commands.START = tuple(arguments.start)
    if arguments.inbox_seconds is not None:
        reader.LIMIT_SECONDS = arguments.inbox_seconds
    with contextlib.ExitStack() as changed:
        changed.enter_context(short_pauses(arguments.retry_seconds))
        if not arguments.all_real:
            changed.enter_context(fake_stages(arguments.behaviour, arguments.real))
            if "--scheduler" in arguments.rest:
                _fake_what_a_dask_worker_starts(arguments.behaviour)
        if arguments.volume:
            odd_volume.install(arguments.volume)
        if arguments.fault:
            shim.install(arguments.fault)
        return daemon(arguments.rest)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
