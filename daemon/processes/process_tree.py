"""A process and what it started, as psutil sees them: it observes and signals, and never reaps."""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psutil

from daemon.processes.memory import footprint

# psutil cannot tell at this moment: the process left, is not ours, or we have no descriptor left.
_UNKNOWN = (psutil.Error, OSError)


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look at a process tree."""

    memory_bytes: int
    cpu_seconds: float
    children: int


class ProcessTree:
    """Remembers every descendant that it ever saw: they may outlive their parent."""

    def __init__(self, pid: int) -> None:
        self._descendants: set[psutil.Process] = set()
        self._root: psutil.Process | None = None
        with contextlib.suppress(*_UNKNOWN):  # it may have died at once
            self._root = psutil.Process(pid)

    def vitals(self) -> Vitals | None:
        """Memory and CPU of the living tree; None if it cannot be known at this moment."""
        if self._root is None:
            return None
        try:
            tree = [self._root, *_below(self._root)]
            self._descendants.update(tree[1:])
            cpu = [process.cpu_times() for process in tree]
            memory = sum(footprint(process) for process in tree)
        except _UNKNOWN:
            return None
        return Vitals(memory, sum(times.user + times.system for times in cpu), len(tree) - 1)

    def signal(self, number: int) -> None:
        """Signal them all; psutil checks that a pid was not given to somebody else before."""
        if self._root is None:
            return
        with contextlib.suppress(*_UNKNOWN):
            self._descendants.update(_below(self._root))
        for process in (self._root, *self._descendants):
            with contextlib.suppress(*_UNKNOWN):
                process.send_signal(number)


def _below(process: psutil.Process) -> list[psutil.Process]:
    """All its descendants. Raises psutil.Error or OSError.

    psutil looks at every process of the machine, which took a third of the daemon's time. Linux
    lists the children of each thread; where it does not (CONFIG_PROC_CHILDREN), psutil looks.
    """
    if not _lists_children():
        return process.children(recursive=True)
    below: list[psutil.Process] = []
    pids = _children(process.pid)
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
            with open(f"/proc/{pid}/task/{thread}/children", "rb") as children:  # noqa: PTH123
                found += map(int, children.read().split())
    return found
