"""Running somebody's command with a message on its standard input, and never for too long."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import psutil

_GRACE = 0.4  # seconds from SIGTERM to SIGKILL
_TICK = 0.05  # seconds between looks at a running hook
_SHOWN = 300  # characters of its output in an error


class Hook:
    """A command as an argument vector; no shell. It gets a process group of its own."""

    def __init__(self, argv: Sequence[str], seconds: float, folder: Path | None = None) -> None:
        self._argv = argv
        self._seconds = seconds
        self._folder = folder  # that it runs in; None: ours

    def send(self, notice: bytes, stop: threading.Event) -> None:
        """Run it once. Raises OSError if it cannot start, fails, takes too long, or at `stop`.

        Input and output are files: a pipe could fill, or be kept open by a grandchild.
        """
        with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said:
            given.write(notice)
            given.seek(0)
            process = subprocess.Popen(
                self._argv,
                stdin=given,
                stdout=said,
                stderr=said,
                start_new_session=True,
                cwd=self._folder,
            )
            in_time = _ends_within(self._seconds, process.pid, stop)
            _end(process)
            if not in_time:
                why = "the daemon stops" if stop.is_set() else f"{self._seconds:.0f} s are over"
                raise OSError(f"{self._argv[0]} was ended, because {why}")
            if process.returncode != 0:
                raise OSError(f"{self._argv[0]} ended with {process.returncode}: {_tail(said)}")


def _ends_within(seconds: float, leader: int, stop: threading.Event) -> bool:
    """Whether it ended by itself, before its time was over and before `stop`."""
    deadline = time.monotonic() + seconds
    while not _has_ended(leader):
        if time.monotonic() >= deadline or stop.wait(_TICK):
            return False
    return True


def _has_ended(leader: int) -> bool:
    """It is not reaped: until then its number, which is its group's, is nobody else's."""
    if hasattr(os, "waitid"):  # on macOS since Python 3.13
        return os.waitid(os.P_PID, leader, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    return psutil.Process(leader).status() == psutil.STATUS_ZOMBIE


def _end(process: subprocess.Popen[bytes]) -> None:
    """Leave nothing of the command behind, children included; its leader is reaped last."""
    if not _has_ended(process.pid):
        _signal_group(process.pid, signal.SIGTERM)
        _ends_within(_GRACE, process.pid, threading.Event())
    _signal_group(process.pid, signal.SIGKILL)
    process.wait()


def _signal_group(leader: int, number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, number)


def _tail(output: IO[bytes]) -> str:
    output.seek(max(0, output.seek(0, os.SEEK_END) - _SHOWN))
    return " ".join(output.read().decode(errors="replace").split()) or "it said nothing"
