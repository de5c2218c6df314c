"""A desktop session on a fake Mac: one fake launchd, its launchctl on PATH, its log."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from launchd.command import Reply
from launchd.launchctl import Launchctl

FAKES = Path(__file__).parent
UID = 501


@dataclass(frozen=True)
class Swift:
    """A clock that runs `factor` times too fast, so that our patience is short as well."""

    factor: float

    def monotonic(self) -> float:
        return time.monotonic() * self.factor

    def sleep(self, seconds: float, /) -> None:
        time.sleep(seconds / self.factor)


@dataclass(frozen=True)
class Session:
    folder: Path
    scale: float

    def ctl(self, label: str) -> Launchctl:
        """Commands that reach the fake without a process for each, by a clock that suits it."""
        return Launchctl(label, UID, self.ask, Swift(5))

    def ask(self, argv: Sequence[str], seconds: float) -> Reply:
        """What the `launchctl` on PATH does."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(seconds)
            connection.connect(str(self.folder / "socket"))
            connection.sendall(json.dumps(argv[1:]).encode() + b"\n")
            with connection.makefile() as stream:
                return Reply(*json.loads(stream.readline()))

    def events(self, name: str) -> list[dict[str, Any]]:
        """What the fake launchd did, in order: `started`, `exited` or `launchctl`."""
        log = self.folder / "log.jsonl"
        lines = log.read_text().splitlines() if log.exists() else []
        return [entry for line in lines if (entry := json.loads(line))["event"] == name]

    def verbs(self) -> list[str]:
        return [entry["arguments"][0] for entry in self.events("launchctl")]

    def pid(self) -> int | None:
        """The process that was started last, None if it has ended."""
        started, exited = self.events("started"), self.events("exited")
        return started[-1]["pid"] if len(started) > len(exited) else None


@contextlib.contextmanager
def fake_mac(monkeypatch: pytest.MonkeyPatch, scale: float) -> Iterator[Session]:
    """Run a fake launchd, with every one of its times multiplied by `scale`."""
    folder = Path(tempfile.mkdtemp(prefix="mac-", dir="/tmp"))  # a socket's path must be short
    command = [sys.executable, str(FAKES / "launchd.py"), str(folder), "--scale", str(scale)]
    monkeypatch.setenv("PATH", f"{FAKES}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("FAKE_LAUNCHD", str(folder))
    process = subprocess.Popen([*command, "--uid", str(UID)])
    try:
        eventually((folder / "socket").exists)
        yield Session(folder, scale)
    finally:
        process.terminate()
        process.wait()
        shutil.rmtree(folder)


def eventually(condition: Callable[[], object], seconds: float = 120.0) -> None:
    """Wait until `condition` holds; fail with its name if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"never came true: {condition}"
        time.sleep(0.02)
