"""The daemon's side of the catalogue: a thread that starts the update as a process, when needed."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from daemon.files.answering import start_thread

STOPPED = "--stopped"  # says that the daemon is about to end
_REST = 2.0  # seconds between two updates, at least, however much happens
_RESTS = 10  # times as long as the last update took: it gets a tenth of a core, no more
_REFRESH = 15.0  # seconds, while there is work: index.html shows how far it is
_LONGEST = 900.0  # seconds an update may take: the first one of a large outbox reads all of it


def update_command(state: Path, outbox: Path, mode: str, group: str) -> list[str]:
    """`mode` and `group` are those of the results: the index beside them is for the same people."""
    program = [sys.executable, "-P", "-s", "-m", "daemon.catalogue.update"]
    return [
        *program,
        f"--state={state}",
        f"--outbox={outbox}",
        f"--mode={mode}",
        f"--group={group}",
    ]


class CatalogueUpdater:
    """Nothing waits for it: `on_event` returns at once, and what it could not do is logged once.

    Without a command it does nothing.
    """

    def __init__(self, command: Sequence[str], complain: Callable[[str], None]) -> None:
        self._command = command
        self._complain = complain  # called from the thread with one line for the log
        self._wanted = threading.Event()
        self._stop = threading.Event()
        self._abandoned = threading.Event()  # there is no time for another update
        self._child: subprocess.Popen[str] | None = None
        self._told = ""
        self._thread = threading.Thread(target=self._run, name="catalogue", daemon=True)
        self.use(command)

    def use(self, command: Sequence[str]) -> None:
        """Run another command from now on, or none at all."""
        self._command = command
        if command and not self._thread.is_alive():
            start_thread(self._thread)
        self._wanted.set()

    def on_event(self) -> None:
        """Something happened in the queue."""
        self._wanted.set()

    def close(self, seconds: float = 2.0) -> None:
        """Write the last state, for `seconds` at most; what is not finished is made next time."""
        if not self._thread.is_alive():
            return
        self._stop.set()
        self._wanted.set()
        self._thread.join(seconds)
        self._abandoned.set()
        if self._thread.is_alive():
            self._kill()
            self._thread.join(seconds)

    def _run(self) -> None:
        busy = last = False
        while not last:
            self._wanted.wait(_REFRESH if busy else None)
            last = self._stop.is_set()
            if self._abandoned.is_set():
                return
            self._wanted.clear()
            began = time.monotonic()
            busy = self._update([STOPPED] if last else [])
            took = time.monotonic() - began
            self._stop.wait(min(max(_REST, _RESTS * took), _REFRESH))

    def _update(self, arguments: Sequence[str]) -> bool:
        """Run the process once; whether there is work in the queue."""
        if not self._command:
            return False
        try:
            self._child = subprocess.Popen(
                [*self._command, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE, text=True, errors="replace",
            )  # fmt: skip
            said, complaint = self._child.communicate(timeout=_LONGEST)
        except (OSError, subprocess.SubprocessError) as error:
            self._kill()
            said, complaint = "", f"index.html: {error}"
        last = (complaint.strip().splitlines() or [""])[-1]
        if last and last != self._told and not self._stop.is_set():
            self._complain(last)
        self._told = last
        return said.strip() == "busy"

    def _kill(self) -> None:
        if self._child is not None:
            with contextlib.suppress(OSError):
                self._child.kill()
