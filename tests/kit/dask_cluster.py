"""A Dask cluster of processes of their own: a real scheduler, and standing workers of ours."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil

from daemon.config import file as config_file
from tests.kit.daemon_process import DEMO, RUNNER, Tables, configured


class DaskCluster:
    """On loopback, without TLS unless `tls` names the files."""

    def __init__(self, root: Path, tls: dict[str, str] | None = None) -> None:
        self.root = root
        self.tls = tls or {}
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{self.port}"
        self.scheduler: subprocess.Popen[bytes] | None = None
        self.workers: dict[str, subprocess.Popen[bytes]] = {}

    def start_scheduler(self) -> None:
        command = (sys.executable, "-m", "distributed.cli.dask_scheduler", "--no-dashboard")
        where = ("--host", self.address, "--port", str(self.port))
        files = {"--tls-ca-file": "ca", "--tls-cert": "cert", "--tls-key": "key"}
        keys = [word for flag, name in files.items() if self.tls for word in (flag, self.tls[name])]
        with (self.root / "scheduler.log").open("ab") as log:
            self.scheduler = subprocess.Popen([*command, *where, *keys], stdout=log, stderr=log)

    def kill_scheduler(self) -> None:
        assert self.scheduler is not None
        self.scheduler.kill()
        self.scheduler.wait()

    def add(self, name: str, tables: Tables | None = None, **fake: str) -> None:
        """A standing worker with a configuration of its own, and fake stages that behave so."""
        folder = self.root / name
        folder.mkdir()
        config_file.save(configured(folder, {**DEMO, **(tables or {})}), folder / "config.toml")
        runner = (sys.executable, "-s", str(RUNNER), "--behaviour", json.dumps(fake), "--")
        lend = ("--config", str(folder / "config.toml"), "lend", "--scheduler", self.address)
        keys = [word for key in self.tls for word in (f"--tls-{key}", self.tls[key])]
        with (folder / "worker.log").open("ab") as log:
            self.workers[name] = subprocess.Popen(
                [*runner, *lend, *keys], stdout=log, stderr=log, start_new_session=True
            )

    def signal(self, name: str, number: signal.Signals) -> None:
        """To the worker and all that it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.workers[name].pid, number)

    def is_at_work(self, name: str) -> bool:
        """Whether that worker's transcriber has begun a file."""
        return bool(list((self.root / name).rglob("session/state/jobs/*/prepared.json")))

    def close(self) -> None:
        for name, worker in self.workers.items():
            self.signal(name, signal.SIGKILL)
            worker.wait()
        if self.scheduler is not None:
            self.scheduler.kill()
            self.scheduler.wait()
        for process in psutil.process_iter(["cmdline"]):
            if any(str(self.root) in word for word in process.info["cmdline"] or []):
                with contextlib.suppress(psutil.Error):
                    if process.pid != os.getpid():
                        process.kill()
