"""Machines that lend themselves: an `ssh` that starts `dropscribe lend` here."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from daemon.config import file as config_file
from tests.kit.daemon_process import DEMO, RUNNER, Tables, configured, signal_each


class Lenders:
    """Each has folders and a configuration of its own below `root`/NAME."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        programs = root / "bin"
        programs.mkdir()
        ssh = programs / "ssh"
        ssh.write_text(
            "#!/bin/sh\nfor word; do host=$last; last=$word; done\n"
            f'exec sh "{root}/$host/connect"\n'
        )
        ssh.chmod(0o755)
        monkeypatch.setenv("PATH", str(programs), prepend=":")

    def add(
        self,
        name: str,
        tables: Tables | None = None,
        options: Sequence[str | Path] = (),
        **fake: str,
    ) -> None:
        """A machine of that name; its stages are fake ones that behave so.

        `options` of the runner stand for what macOS says of its owner (runner.py).
        """
        folder = self.root / name
        folder.mkdir()
        config = configured(folder, {**DEMO, **(tables or {})})
        config_file.save(config, folder / "config.toml")
        behaviour = ("--behaviour", json.dumps(fake), *map(str, options))
        runner = (sys.executable, "-s", str(RUNNER), *behaviour, "--")
        self.starts_with(name, [*runner, "--config", str(folder / "config.toml"), "lend"])

    def starts_with(self, name: str, command: Sequence[str]) -> None:
        """What connecting to it starts."""
        (self.root / name).mkdir(exist_ok=True)
        (self.root / name / "connect").write_text(f"exec {shlex.join(command)}\n")

    def processes(self, name: str) -> list[psutil.Process]:
        """The living `dropscribe lend` of that machine, and its stages."""
        config = str(self.root / name / "config.toml")
        found: list[psutil.Process] = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if config in process.cmdline():
                    found += [process, *process.children(recursive=True)]
        return found

    def kill(self, name: str) -> None:
        """kill -9 of all that; a stage ends by itself when `lend` has."""
        signal_each(self.processes(name), signal.SIGKILL)
