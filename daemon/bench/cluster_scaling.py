"""How well a cluster scales: a real owner, and lenders that sleep instead of transcribing.

    python -m daemon.bench.cluster_scaling --workers 1 16 --seconds 5 --files 12
    python -m daemon.bench.cluster_scaling --workers 32 --seconds 600 --queued 10000

The owner is the real daemon: inbox, ledger, placement, transfer, validation, rendering, delivery.
It works on no recording itself. `ssh` is a program that starts a sleeping_lender.py here, so this
runs on Linux (on macOS, Apple's own ssh is called by its path). A line of JSON for each run.

efficiency    what the recordings take, over what the workers had time for from the first offer on
overhead      seconds a recording and a worker beyond the recording's own
placed        seconds from a free place to the next offer, median and 95th percentile
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.transcript import Json

_BYTES_A_SECOND = 16_000
_PATIENCE = 900.0  # seconds


def serve(config_path: Path) -> None:
    """The owner: the daemon, which keeps no recording for itself."""
    from daemon.models import hardware  # noqa: PLC0415 - of the owner's process alone
    from daemon.reporting.event_log import EventLog, open_logs  # noqa: PLC0415
    from daemon.supervisor import lending, places  # noqa: PLC0415
    from daemon.supervisor.application import Application, stage_commands  # noqa: PLC0415

    lending.AT_HOME = 0
    places.AHEAD_OF_LENDING = 0
    config = config_file.load(config_path)
    open_logs(config.paths.logs, echo=False)
    commands = stage_commands(config, hardware.choose("ctranslate2"))
    with (
        Application.open(config, commands, EventLog()) as application,
        application.stopped_by((signal.SIGTERM,)),
    ):
        application.watch(drain=False)


class _Run:
    """One owner and its lenders, in a folder of their own."""

    def __init__(self, folder: Path, workers: int) -> None:
        self.folder = folder
        self.hosts = [f"worker{number}" for number in range(workers)]
        names = ("inbox", "outbox", "done", "failed", "state", "logs")
        self.config: Config = config_file.validated(
            {
                "paths": {name: str(folder / name) for name in names},
                "cluster": {"hosts": self.hosts},
                "transcribe": {"model": "base", "backend": "ctranslate2"},
                "output": {"formats": ["txt"], "index": False},
                "watch": {"settle_seconds": 0.2},
                "limits": {"min_free_mb": 1},
            }
        )
        self.config.paths.inbox.mkdir()
        config_file.save(self.config, folder / "config.toml")

    @contextlib.contextmanager
    def started(self) -> Iterator[psutil.Process]:
        program = self.folder / "ssh"
        lender = f"{sys.executable} -m daemon.bench.sleeping_lender {_BYTES_A_SECOND}"
        program.write_text(f"#!/bin/sh\nexec {lender} {self.folder / 'gaps'}\n")
        program.chmod(0o755)
        environment = os.environ | {"PATH": f"{self.folder}:{os.environ['PATH']}"}
        command = [sys.executable, "-m", __spec__.name, "--owner", str(self.folder / "config.toml")]
        process = subprocess.Popen(command, env=environment)
        try:
            self.wait(lambda: self._ready() == len(self.hosts))
            yield psutil.Process(process.pid)
        finally:
            process.terminate()
            process.wait()

    def drop(self, count: int, seconds: float) -> None:
        size = int(seconds * _BYTES_A_SECOND)
        for number in range(count):
            hidden = self.folder / "dropping"
            hidden.write_bytes(number.to_bytes(8, "big").ljust(size, b"\0"))
            hidden.rename(self.config.paths.inbox / f"{number}.wav")

    def wait_for_ends(self, count: int) -> list[Json]:
        self.wait(lambda: len(self.events("done")) >= count)
        return self.events("done")

    def wait_for_lent(self, count: int) -> None:
        def lent() -> int:
            status = json.loads((self.config.paths.state / "status.json").read_bytes())
            return sum(len(host["jobs"]) for host in status["hosts"])

        self.wait(lambda: lent() >= count)

    def events(self, kind: str) -> list[Json]:
        path = self.config.paths.logs / "events.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [event for line in lines if (event := json.loads(line))["event"] == kind]

    def gaps(self) -> list[float]:
        path = self.folder / "gaps"
        return sorted(map(float, path.read_text().split())) if path.exists() else []

    def _ready(self) -> int:
        return len({e["host"] for e in self.events("host") if e["state"] == "ready"})

    @staticmethod
    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("it takes too long")
            time.sleep(0.25)


def measure(workers: int, seconds: float, files: int) -> Json:
    """`files` recordings a worker, all there from the beginning."""
    with tempfile.TemporaryDirectory() as name:
        run = _Run(Path(name), workers)
        with run.started() as owner:
            run.drop(workers * files, seconds)
            began = time.monotonic()
            run.wait_for_ends(workers * files)
            took = time.monotonic() - began
            cpu = _cpu(owner)
        gaps = run.gaps()
    return {
        "workers": workers,
        "seconds": seconds,
        "files": workers * files,
        "took": round(took, 1),
        "efficiency": round(files * seconds / took, 4),
        "overhead": round(took / files - seconds, 3),
        "owner_cpu_a_file": round(cpu / (workers * files), 3),
        **_placed(gaps),
    }


def measure_queue(workers: int, seconds: float, queued: int) -> Json:
    """Memory with that many recordings waiting, while the workers have all that they take."""
    with tempfile.TemporaryDirectory() as name:
        run = _Run(Path(name), workers)
        with run.started() as owner:
            before = _memory(owner)
            began = time.monotonic()
            run.drop(queued, seconds)
            run.wait(lambda: len(run.events("queued")) >= queued)
            admitted = time.monotonic() - began
            run.wait_for_lent(2 * workers)
            after = _memory(owner)
            run.wait_for_ends(2 * workers)
        gaps = run.gaps()
    return {
        "workers": workers,
        "queued": queued,
        "admitted": round(admitted, 1),
        "owner_mb": [before[0], after[0]],
        "cluster_child_mb": [before[1], after[1]],
        **_placed(gaps),
    }


def _placed(gaps: list[float]) -> Json:
    if len(gaps) < 2:
        return {}
    return {
        "placed": round(statistics.median(gaps), 3),
        "placed_95": round(gaps[int(0.95 * (len(gaps) - 1))], 3),
    }


def _children(owner: psutil.Process) -> list[psutil.Process]:
    """The owner's processes without the lenders."""
    found = [child for child in owner.children(recursive=True) if child.is_running()]
    return [child for child in found if "sleeping_lender" not in " ".join(child.cmdline())]


def _cpu(owner: psutil.Process) -> float:
    times = [process.cpu_times() for process in (owner, *_children(owner))]
    return sum(t.user + t.system + t.children_user + t.children_system for t in times)


def _memory(owner: psutil.Process) -> tuple[int, int]:
    """Megabytes of the owner, and of its cluster child."""
    [child] = [p for p in _children(owner) if "daemon.cluster.child" in p.cmdline()]
    return owner.memory_info().rss // 1_000_000, child.memory_info().rss // 1_000_000


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--owner", type=Path)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2, 4, 8, 16, 32])
    parser.add_argument("--seconds", type=float, default=5.0, help="of each recording")
    parser.add_argument("--files", type=int, default=12, help="a worker")
    parser.add_argument("--queued", type=int, help="recordings; measure memory instead")
    given = parser.parse_args()
    if given.owner:
        serve(given.owner)
        return
    for workers in given.workers:
        if given.queued:
            found = measure_queue(workers, given.seconds, given.queued)
        else:
            found = measure(workers, given.seconds, given.files)
        sys.stdout.write(json.dumps(found) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
