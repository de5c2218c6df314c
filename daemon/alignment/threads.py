"""How many cores the aligner takes: few while a transcriber beside it computes on them, too.

The network hands out its work in pieces, and BLAS computes each on one core: so the number may
change at any time, also with Apple's BLAS, which reads its own number once only.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import TypeVar

_Item = TypeVar("_Item")


def cores() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Threads:
    """`count` are used: `shared` at first; all cores where that is 0."""

    def __init__(self, shared: int = 0) -> None:
        self._all = cores()
        self.count = min(shared or self._all, self._all)
        self._pool = ThreadPoolExecutor(self._all)

    def take_all(self) -> None:
        self.count = self._all

    def run(self, work: Callable[[_Item], object], items: Iterable[_Item]) -> None:
        """`work` on every item, on `count` cores; the caller's thread is one of them.

        What is raised is raised here, when the rest is done.
        """
        left: SimpleQueue[_Item] = SimpleQueue()
        for item in items:
            left.put(item)

        def take() -> None:
            while True:
                try:
                    item = left.get_nowait()
                except Empty:
                    return
                work(item)

        helpers = [self._pool.submit(take) for _ in range(min(self.count, left.qsize()) - 1)]
        try:
            take()
        finally:
            errors = [helper.exception() for helper in helpers]
        for error in filter(None, errors):
            raise error
