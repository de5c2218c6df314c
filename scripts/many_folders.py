"""A tree of folders dropped at once: `many_folders.py [FILES] [FOLDERS]`, with fake stages.

Prints how long until the last delivery, the daemon's CPU time and memory, and what was left over.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil

from tests.kit.fake_recording import recording
from tests.kit.fault_daemon import FaultDaemon


def main(files: int, folders: int) -> None:
    """Run a daemon on folders of its own until all is delivered."""
    with tempfile.TemporaryDirectory(prefix="dropscribe-") as name:
        root = Path(name)
        daemon = FaultDaemon.on(root / "daemon", {"watch": {"settle_seconds": 0.5}})
        tree = root / "Interviews"
        for number in range(files):
            folder = tree / f"{number % folders // 8}" / f"day {number % folders}"
            folder.mkdir(parents=True, exist_ok=True)
            (folder / f"{number}.wav").write_bytes(recording(f"recording {number}"))
        daemon.start()
        tree.rename(daemon.config.paths.inbox / tree.name)
        begun = time.monotonic()
        try:
            daemon.wait_for_ends(files, seconds=3600)
            seconds = time.monotonic() - begun
            process = psutil.Process(daemon.processes[-1].pid)
            cpu, memory = process.cpu_times(), process.memory_info().rss
            inbox = daemon.config.paths.inbox
            daemon.wait_until(lambda: not list(inbox.iterdir()), "the folders were gone", 120)
        finally:
            daemon.end()
        paths = daemon.config.paths
        delivered = [
            path for path in paths.outbox.rglob("*.json") if not path.name.endswith(".timing.json")
        ]
        print(
            f"{files} files in {folders} folders: {len(delivered)} delivered,"
            f" {len(list(paths.done.rglob('*.wav')))} in done/, {seconds:.0f} s, the daemon:"
            f" {cpu.user + cpu.system:.1f} s of CPU, {memory / 1e6:.0f} MB; inbox empty"
        )


if __name__ == "__main__":
    main(*map(int, (sys.argv[1:] + ["500", "40"][len(sys.argv) - 1 :])[:2]))
