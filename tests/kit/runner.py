"""The real daemon's command line, with fake fast stages and, if asked for, a fault in its calls.

    runner.py [--fault SPEC] [--volume SPEC] [--real STAGE] … -- the arguments of `python -m daemon`

Only what a test cannot reach through the configuration is set here: how the stages are started,
how long a pause lasts, and how far the wall clock is off.
"""

from __future__ import annotations

# ruff: noqa: PLC0415 - the clock and the pause are set before the daemon is imported
import argparse
import os
import sys
import time
from pathlib import Path

from tests.kit import odd_volume, shim

FAKE_STAGE = Path(__file__).with_name("fake_stage.py")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--fault", default="", help="see shim.py")
    parser.add_argument("--volume", default="", help="see odd_volume.py")
    parser.add_argument("--retry-seconds", type=float, default=0.2)
    parser.add_argument("--wall-offset", type=Path, help="a file with seconds to add to the clock")
    parser.add_argument("--real", action="append", default=[], metavar="STAGE")
    parser.add_argument("--all-real", action="store_true")
    parser.add_argument("rest", nargs="+")
    return parser.parse_args()


def _shift_wall_clock(offset: Path) -> None:
    real = time.time
    time.time = lambda: real() + float(offset.read_text() if offset.exists() else 0)


def _replace_stages(real: list[str]) -> None:
    from daemon.commands import run
    from daemon.config.settings import Config
    from daemon.domain.job import Stage
    from daemon.models.hardware import Backend, stage_environment
    from daemon.processes.pool import Command
    from daemon.supervisor import application

    def commands(config: Config, backend: Backend) -> application.Commands:
        genuine = application.stage_commands(config, backend) if real else {}
        python = [sys.executable, "-P", "-s", str(FAKE_STAGE)]
        return {
            stage: genuine[stage]
            if str(stage) in real
            else Command([*python, f"daemon.stages.{stage}"], stage_environment(os.environ))
            for stage in (Stage.PREPARE, Stage.TRANSCRIBE, Stage.ALIGN)
        }

    run.stage_commands = commands


def _main() -> int:
    arguments = _arguments()
    if arguments.wall_offset:
        _shift_wall_clock(arguments.wall_offset)
    from daemon.supervisor import pause

    pause.RETRY_SECONDS = arguments.retry_seconds
    from daemon.__main__ import main

    if not arguments.all_real:
        _replace_stages(arguments.real)
    if arguments.volume:
        odd_volume.install(arguments.volume)
    if arguments.fault:
        shim.install(arguments.fault)
    return main(arguments.rest)


if __name__ == "__main__":
    raise SystemExit(_main())
