"""A process and what it started, as psutil sees them: it observes and signals, and never reaps."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

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
            tree = [self._root, *self._root.children(recursive=True)]
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
            self._descendants.update(self._root.children(recursive=True))
        for process in (self._root, *self._descendants):
            with contextlib.suppress(*_UNKNOWN):
                process.send_signal(number)
