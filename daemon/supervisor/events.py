"""What the supervisor's loop can be told; threads and signal handlers only put these."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from daemon.processes.pipes import Pipes
from daemon.processes.worker import WorkerExited, WorkerMessage


@dataclass(frozen=True, slots=True)
class InboxChanged:
    """Something happened in the inbox, or may have."""


@dataclass(frozen=True, slots=True)
class InboxRead:
    """A look into the inbox, which may take its time, has ended."""


@dataclass(frozen=True, slots=True)
class BackgroundEnded:
    """Something that was done to a recording beside the loop has ended: its job may go on."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody wants us to end: the number of the signal that said so."""

    signal: int


Event = InboxChanged | InboxRead | BackgroundEnded | StopRequested | WorkerMessage | WorkerExited


class StopNow(BaseException):
    """We are to end while something long runs, which may be broken off at any point."""


class EventQueue:
    """What waits for the loop. A request to stop overtakes everything, long work included."""

    def __init__(self) -> None:
        self._queue: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self.pipes = Pipes()  # read while nothing else waits
        self._stop: StopRequested | None = None
        self._may_break_off = False

    def put(self, event: Event) -> None:
        """From any thread, and from signal handlers, which run between two of its instructions."""
        if isinstance(event, StopRequested):
            self._stop = event
        self._queue.put(event)
        self.pipes.ring()
        if self._stop is not None and self._may_break_off:
            self._may_break_off = False
            raise StopNow

    def post(self, event: Event) -> None:
        """From the loop's own thread: what it reads at `pipes`."""
        self._queue.put(event)

    @property
    def is_stopping(self) -> bool:
        """Whether somebody wants us to end."""
        return self._stop is not None

    def get(self, timeout: float) -> Event:
        """Raises queue.Empty when nothing has come in that many seconds."""
        until = time.monotonic() + timeout
        while (event := self.get_now()) is None:
            left = until - time.monotonic()
            self.pipes.wait(max(0.0, left))
            if left <= 0 and self._queue.empty():
                raise queue.Empty
        return event

    def get_now(self) -> Event | None:
        """The next event, if there is one already."""
        try:
            return self._stop or self._queue.get_nowait()
        except queue.Empty:
            return None

    def close(self) -> None:
        self.pipes.close()

    def break_off(self) -> None:
        """Between two steps of what takes long: raises StopNow if somebody wants us to end."""
        if self._stop is not None:
            raise StopNow

    @contextmanager
    def may_break_off(self) -> Iterator[None]:
        """Around what takes long, touches no ledger, and leaves nothing that its repetition minds.

        Only in the loop's own thread. Raises StopNow.
        """
        self._may_break_off = True
        try:
            self.break_off()
            yield
        finally:
            self._may_break_off = False
