#!/usr/bin/env python3
"""What the daemon's own process costs a file: its stages are a small C program that does nothing.

    scripts/supervisor_cost.py                        2,000 files, on /dev/shm
    scripts/supervisor_cost.py --files 300 --profile  and where the time went

Prints milliseconds of CPU a file, from the start of `run --once` (imports not counted) to its end:
all threads of the daemon's process, and starting its children. The yardstick tells how fast the
machine was meanwhile: where others compute beside it, the same work takes several times as much
CPU. Needs a C compiler.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import resource
import shutil
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from environment import enter

enter("test")

_ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(_ROOT))

from daemon.commands import run  # noqa: E402 - found through the line above
from daemon.config import file as config_file  # noqa: E402
from daemon.config.settings import Config  # noqa: E402
from daemon.models.hardware import Backend  # noqa: E402
from daemon.supervisor.application import Commands, stage_commands  # noqa: E402
from tests.kit import command_line, fast_stage  # noqa: E402
from tests.kit.daemon_process import configured  # noqa: E402

_TABLES = {
    "watch": {"settle_seconds": 0.0, "rescan_seconds": 60.0},
    "transcribe": {"model": "base", "backend": "ctranslate2"},
}


def _yardstick() -> float:
    begun, total = time.process_time(), 0
    for number in range(10_000_000):
        total += number
    return time.process_time() - begun


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--folder", type=Path, default=Path("/dev/shm"), help="where to measure")
    parser.add_argument("--profile", action="store_true", help="of the loop's thread; it is slower")
    return parser.parse_args()


def main() -> int:
    arguments = _arguments()
    root = Path(tempfile.mkdtemp(prefix="dropscribe-cost-", dir=arguments.folder))
    try:
        return _measure(root, arguments.files, arguments.profile)
    finally:
        shutil.rmtree(root)


def _measure(root: Path, files: int, is_profiled: bool) -> int:
    config = configured(root, _TABLES)
    config.paths.inbox.mkdir(parents=True)
    config_file.save(config, root / "config.toml")
    for number in range(files):
        (config.paths.inbox / f"recording {number}.wav").write_bytes(b"%d" % number)
    program = str(fast_stage.compiled(root))

    def commands(config: Config, backend: Backend) -> Commands:
        real = stage_commands(config, backend)
        return {stage: replace(real[stage], arguments=[program, "0", stage]) for stage in real}

    run.stage_commands = commands
    profile = cProfile.Profile(time.thread_time)
    before, begun = resource.getrusage(resource.RUSAGE_SELF), time.monotonic()
    if is_profiled:
        profile.enable()
    finished = command_line.call("--config", str(root / "config.toml"), "run", "--once")
    profile.disable()
    after, seconds = resource.getrusage(resource.RUSAGE_SELF), time.monotonic() - begun
    delivered = len(list(config.paths.outbox.glob("*.timing.json")))
    if finished.returncode or delivered != files:
        print(f"{delivered} of {files} delivered\n{finished.stderr[-2000:]}")
        return 1
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    each = 1000 / files
    print(f"{files} files in {seconds:.1f} s: {(user + system) * each:.2f} ms of CPU a file")
    print(f"  of which {user * each:.2f} in our code, {system * each:.2f} in the kernel")
    print(f"  ten million additions in Python: {_yardstick():.2f} s of CPU")
    if is_profiled:
        stats = pstats.Stats(profile)
        stats.strip_dirs().sort_stats("tottime").print_stats(45)
        stats.sort_stats("cumulative").print_stats(70)
        stats.print_callers(
            "_make_child|printable|lstat|method .execute|_parse_args|stat}|_places_of"
        )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
