"""One job of the fake launchd: its plist, its process, and when it runs again."""

from __future__ import annotations

import contextlib
import os
import plistlib
import signal
import stat
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

import psutil

CRASHES = {signal.SIGILL, signal.SIGABRT, signal.SIGFPE, signal.SIGBUS, signal.SIGSEGV}
CRASHES |= {signal.SIGSYS, signal.SIGTRAP}
INTEGERS = ("ThrottleInterval", "ExitTimeOut", "Nice")
BAD_CONFIGURATION = 78


def gate(path: Path) -> int:
    """Why launchd would not take the plist at `path`: 0 if it would."""
    if path.suffix != ".plist" or not path.is_file():
        return 5
    status = path.stat()
    if status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return 122
    try:
        plist = plistlib.loads(path.read_bytes())
    except (ValueError, ExpatError):
        return 109
    if not isinstance(plist.get("Label"), str):
        return 110
    if not plist.get("ProgramArguments"):
        return 111
    if plist.get("LimitLoadToSessionType", "Aqua") != "Aqua":
        return 134
    return 0 if all(isinstance(plist.get(key, 0), int) for key in INTEGERS) else 5


def nice_of(plist: Mapping[str, Any]) -> int:
    """launchd throttles CPU and I/O of what is neither Interactive nor Adaptive."""
    return {"Interactive": 0, "Adaptive": 0, "Background": 10}.get(plist.get("ProcessType", ""), 5)


@dataclass
class Job:
    plist: dict[str, Any]
    scale: float
    wanted: bool
    leaving: bool = False  # booted out, but not gone
    process: subprocess.Popen[bytes] | None = None
    status: int = 0  # of the last run, as Popen tells it
    started: float = float("-inf")
    terminated: float = float("-inf")

    def rested(self) -> bool:
        """Whether ThrottleInterval has passed since the last start, by a clock nobody can set."""
        pause = float(self.plist.get("ThrottleInterval", 10)) * self.scale
        return time.monotonic() - self.started >= pause

    def overdue(self) -> bool:
        """Whether ExitTimeOut has passed since SIGTERM."""
        limit = float(self.plist.get("ExitTimeOut", 5)) * self.scale
        return time.monotonic() - self.terminated >= limit

    def spawn(self, environment: Mapping[str, str]) -> None:
        """Start it, or end at once with 78 where a folder or the program is missing."""
        self.started, self.wanted, plist = time.monotonic(), False, self.plist
        own = plist.get("EnvironmentVariables", {})
        text = {name: value for name, value in own.items() if isinstance(value, str)}
        try:
            with contextlib.ExitStack() as stack:
                out, err = (
                    stack.enter_context(Path(plist.get(key, os.devnull)).open("ab"))
                    for key in ("StandardOutPath", "StandardErrorPath")
                )
                self.process = subprocess.Popen(
                    plist["ProgramArguments"],
                    cwd=plist.get("WorkingDirectory", "/"),
                    env={**environment, **text},
                    stdin=subprocess.DEVNULL,
                    stdout=out,
                    stderr=err,
                    start_new_session=True,
                    umask=plist.get("Umask", 0o022),
                )
            lower = os.getpriority(os.PRIO_PROCESS, 0) + nice_of(plist)
            os.setpriority(os.PRIO_PROCESS, self.process.pid, lower)
        except OSError:
            self.status, self.wanted = BAD_CONFIGURATION, self._should_return()

    def has_ended(self) -> bool:
        """Whether it runs no more. It is not reaped: its number is still its group's."""
        if self.process is None:
            return False
        return psutil.Process(self.process.pid).status() == psutil.STATUS_ZOMBIE

    def terminate(self) -> None:
        if self.process:
            self.process.terminate()
            self.terminated = time.monotonic()

    def bury(self) -> None:
        """Send SIGTERM to what is left of its process group, and take note of its death."""
        assert self.process is not None
        if not self.plist.get("AbandonProcessGroup"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGTERM)
        self.status = self.process.wait()
        self.process, self.wanted = None, self._should_return()

    def _should_return(self) -> bool:
        """Whether KeepAlive asks for another run; the conditions of a dictionary are ORed."""
        keep = self.plist.get("KeepAlive", False)
        if not isinstance(keep, dict):
            return bool(keep)
        conditions = {"SuccessfulExit": self.status == 0, "Crashed": -self.status in CRASHES}
        return any(conditions[key] == value for key, value in keep.items())
