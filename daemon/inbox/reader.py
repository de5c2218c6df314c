"""Looking into a folder that may not answer: a privacy prompt is open, or its server is away.

The call is made in a thread of its own, which may hang for as long as it likes; whoever asked is
told when it has ended, or sees that it is overdue.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from daemon.files.answering import asked_in_thread

T = TypeVar("T")

LIMIT_SECONDS = 20.0  # a folder of a hundred thousand files on a slow server answers within these


class Reader(Generic[T]):
    """At most one call at a time. `on_end` may only post an event: the thread may call it."""

    def __init__(
        self,
        on_end: Callable[[], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._on_end = on_end
        self._clock = clock
        self._begun = -math.inf
        self._answer: Future[T] | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a call was begun whose result nobody has taken."""
        return self._answer is not None

    @property
    def has_ended(self) -> bool:
        return self._answer is not None and self._answer.done()

    def overdue_at(self) -> float:
        """When the call that was begun is overdue (monotonic)."""
        return self._begun + LIMIT_SECONDS

    def is_overdue(self, now: float) -> bool:
        return self.is_busy and not self.has_ended and now >= self.overdue_at()

    def begin(self, read: Callable[[], T]) -> None:
        """Have `read` called. It must touch nothing that another thread uses meanwhile."""
        assert not self.is_busy
        self._begun = self._clock()
        self._answer = asked_in_thread(read)
        self._answer.add_done_callback(lambda _: self._on_end())

    def take(self) -> T:
        """What the call that has ended returned; raises what it raised."""
        answer, self._answer = self._answer, None
        assert answer is not None
        return answer.result()
