"""A real owner and lenders that sleep, for one run of cluster_scaling.py.

`ssh` is a program that starts a sleeping_lender.py here; a Dask cluster is a real scheduler, and
the workers of sleeping_workers.py. So this runs on Linux (on macOS, Apple's ssh is called by its
path).
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from daemon.bench.sleeping_lender import PLACES
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.transcript import Json

BYTES_A_SECOND = 16_000
_PATIENCE = 900.0  # seconds
_OWNER = "daemon.bench.cluster_scaling"


class Run:
    """One owner and its `workers`, in a folder of their own. `dask`: through a Dask cluster."""

    def __init__(self, folder: Path, workers: int, dask: bool) -> None:
        self.folder = folder
        self.workers = workers
        self.scheduler: psutil.Process | None = None
        self._address = f"tcp://127.0.0.1:{_free_port()}" if dask else ""
        names = ("inbox", "outbox", "done", "failed", "state", "logs")
        hosts = [] if dask else [f"worker{number}" for number in range(workers)]
        self.config: Config = config_file.validated(
            {
                "paths": {name: str(folder / name) for name in names},
                "cluster": {"hosts": hosts, "scheduler": self._address},
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
        """The owner, when it knows of all workers."""
        program = self.folder / "ssh"
        lender = [sys.executable, "-m", "daemon.bench.sleeping_lender", str(BYTES_A_SECOND)]
        program.write_text(f"#!/bin/sh\nexec {' '.join(lender)} {self.folder / 'gaps'}\n")
        program.chmod(0o755)
        config = str(self.folder / "config.toml")
        environment = os.environ | {
            "PATH": f"{self.folder}:{os.environ['PATH']}",
            "DROPSCRIBE_CONFIG": config,
        }
        processes = []
        try:
            if self._address:
                processes += self._start_cluster(environment)
            command = [sys.executable, "-m", _OWNER, "--owner", config]
            processes.append(subprocess.Popen(command, env=environment))
            self.wait(lambda: self._host("places") == PLACES * self.workers)
            yield psutil.Process(processes[-1].pid)
        finally:
            for process in reversed(processes):
                process.terminate()
                process.wait()

    def _start_cluster(self, environment: dict[str, str]) -> list[subprocess.Popen[bytes]]:
        where = ("--host", self._address, "--port", self._address.rpartition(":")[2])
        command = [sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard", *where]
        what = (self._address, str(self.workers), str(BYTES_A_SECOND), str(self.folder / "gaps"))
        work = [sys.executable, "-m", "daemon.bench.sleeping_workers", *what]
        with (self.folder / "dask.log").open("wb") as log:
            scheduler = subprocess.Popen(command, stdout=log, stderr=log)
            workers = subprocess.Popen(work, env=environment, stdout=log, stderr=log)
        self.scheduler = psutil.Process(scheduler.pid)
        return [scheduler, workers]

    def drop(self, count: int, seconds: float) -> None:
        size = int(seconds * BYTES_A_SECOND)
        for number in range(count):
            hidden = self.folder / "dropping"
            hidden.write_bytes(number.to_bytes(8, "big").ljust(size, b"\0"))
            hidden.rename(self.config.paths.inbox / f"{number}.wav")

    def wait_for_ends(self, count: int) -> list[Json]:
        self.wait(lambda: len(self.events("done")) >= count)
        return self.events("done")

    def wait_for_lent(self, count: int) -> None:
        self.wait(lambda: self._host("jobs") >= count)

    def _host(self, field: str) -> int:
        """How many places all hosts have, or how many jobs."""
        path = self.config.paths.state / "status.json"
        hosts = json.loads(path.read_bytes()).get("hosts", []) if path.exists() else []
        found = [host[field] for host in hosts]
        return sum(len(value) if isinstance(value, list) else value for value in found)

    def events(self, kind: str) -> list[Json]:
        path = self.config.paths.logs / "events.jsonl"
        lines = path.read_bytes().splitlines() if path.exists() else []
        return [event for line in lines if (event := json.loads(line))["event"] == kind]

    def gaps(self) -> list[float]:
        path = self.folder / "gaps"
        return sorted(map(float, path.read_text().split())) if path.exists() else []

    @staticmethod
    def wait(condition: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise TimeoutError("it takes too long")
            time.sleep(0.25)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port
