"""Looking into a folder that may not answer: a privacy prompt is open, or its server is away.

Such a call into the system cannot be broken off. It is made in a thread of its own, which may hang
for as long as it likes; whoever asked is told when it has ended, or sees that it is overdue.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

T = TypeVar("T")

LIMIT_SECONDS = 20.0  # a folder of a hundred thousand files on a slow server answers within these


class Reader(Generic[T]):
    """At most one call at a time. `on_end` is called from the thread; it may only post an event."""

    def __init__(
        self,
        on_end: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_end = on_end
        self._clock = clock
        self._begun: float | None = None
        self._ended: Future[T] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a call was begun whose result nobody has taken."""
        return self._begun is not None

    @property
    def has_ended(self) -> bool:
        return self._ended is not None

    def overdue_at(self) -> float:
        """When the call that was begun is overdue (monotonic)."""
        assert self._begun is not None
        return self._begun + LIMIT_SECONDS

    def is_overdue(self, now: float) -> bool:
        return self.is_busy and not self.has_ended and now >= self.overdue_at()

    def begin(self, read: Callable[[], T]) -> None:
        """Have `read` called. It must touch nothing that another thread uses meanwhile."""
        assert not self.is_busy
        self._begun = self._clock()
        # A daemon thread: one that hangs in the system does not keep the program from ending.
        threading.Thread(target=self._run, args=(read,), name="inbox", daemon=True).start()

    def take(self) -> T:
        """What the call that has ended returned; raises what it raised."""
        ended, self._ended, self._begun = self._ended, None, None
        assert ended is not None
        return ended.result()

    def _run(self, read: Callable[[], T]) -> None:
        ended = Future[T]()
        try:
            ended.set_result(read())
        except Exception as error:
            ended.set_exception(error)
        self._ended = ended
        self._on_end()
