"""A process and what it started, as psutil sees them: it observes and signals, and never reaps."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from daemon.processes.memory import footprint

# Its value is a worker's own: whatever the worker starts inherits it.
WORKER_VARIABLE = "DROPSCRIBE_WORKER"

# psutil cannot tell at this moment: the process left, is not ours, or we have no descriptor left.
_UNKNOWN = (psutil.Error, OSError)


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process tree."""

    memory_bytes: int
    cpu_seconds: float
    children: int


class ProcessTree:
    """Remembers every descendant that it ever saw: they may outlive their parent.

    `vitals` and `look_below` are for a child that is not reaped: else its pid may be another's.
    """

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._root: psutil.Process | None = None
        self._descendants: set[psutil.Process] = set()

    def vitals(self) -> Vitals | None:
        """Memory and CPU of the living tree; None if it cannot be known at this moment."""
        try:
            self._root = self._root or psutil.Process(self._pid)
            tree = [self._root, *_below(self._pid)]
            self._descendants.update(tree[1:])
            cpu = [process.cpu_times() for process in tree]
            memory = sum(footprint(process) for process in tree)
        except _UNKNOWN:
            return None
        return Vitals(memory, sum(times.user + times.system for times in cpu), len(tree) - 1)

    def look_below(self) -> None:
        """Take note of its descendants."""
        with contextlib.suppress(*_UNKNOWN):
            self._descendants.update(_below(self._pid))

    def look_for_orphans(self, worker: str) -> None:
        """Take note of what the dead root started and nobody saw: it has `worker` as variable.

        A look at every process of the machine. macOS hides the environment of its own programs
        in /bin and /usr/bin: of those, only the seen ones are known.
        """
        for process in processes():
            with contextlib.suppress(*_UNKNOWN):
                if process.environ().get(WORKER_VARIABLE) == worker:
                    self._descendants.add(process)

    def signal_below(self, number: int) -> None:
        """Signal every descendant that was ever seen; psutil checks whose pid it is by now."""
        for process in self._descendants:
            with contextlib.suppress(*_UNKNOWN):
                process.send_signal(number)


def processes() -> Iterator[psutil.Process]:
    """Those of the whole machine.

    psutil.process_iter gives what it remembers of an earlier call where a number is used again:
    such a process can be looked at, but gets no signal, since it is not the one remembered.
    """
    for pid in psutil.pids():
        try:
            process = psutil.Process(pid)
        except psutil.Error:
            continue
        yield process


def _below(root: int) -> list[psutil.Process]:
    """All its descendants. Raises psutil.Error or OSError.

    psutil looks at every process of the machine, which took a third of the daemon's time. Linux
    lists the children of each thread; where it does not (CONFIG_PROC_CHILDREN), psutil looks.
    """
    if not _lists_children():
        return psutil.Process(root).children(recursive=True)
    below: list[psutil.Process] = []
    pids = _children(root)
    while pids:
        pid = pids.pop()
        with contextlib.suppress(psutil.NoSuchProcess):
            below.append(psutil.Process(pid))
            pids += _children(pid)
    return below


@cache
def _lists_children() -> bool:
    return Path("/proc/thread-self/children").exists()


def _children(pid: int) -> list[int]:
    """Of all its threads; none if it has gone. Without a Path, for its speed."""
    found: list[int] = []
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for thread in os.listdir(f"/proc/{pid}/task"):  # noqa: PTH208
            with open(f"/proc/{pid}/task/{thread}/children", "rb", 0) as children:  # noqa: PTH123
                found += map(int, children.read().split())
    return found
