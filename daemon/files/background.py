"""Slow work on files beside the loop: a copy of gigabytes, or a look at every byte of them.

The loop asks for a result, and goes on with other jobs until it is there: `result` raises
UnderWayError so long, and `on_end` tells when to ask again. One long task is at work at a time, and
one short one: a memo does not wait for a day of video, and no two of these fill a disk that has
room for one of them.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Hashable
from concurrent.futures import Future, wait
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Generic, TypeVar

from daemon.files.answering import asked_in_thread, start_thread
from daemon.files.atomic import Check

T = TypeVar("T")

_STOP_SECONDS = 0.5  # for the tasks under way; what a killed one leaves goes at the next start


class UnderWayError(Exception):
    """The work has not ended yet: ask again."""


class BrokenOffError(Exception):
    """The work is not wanted any more."""


@dataclass(frozen=True, slots=True)
class About:
    """What a task is, for a person: for which job (0: none), of which kind, in which folder."""

    job: int
    kind: str
    folder: Path


class _Task(Generic[T]):
    """`discard` removes a result that nobody takes. `drop` is called in another thread."""

    def __init__(
        self, about: About, work: Callable[[Check], T], discard: Callable[[T], None]
    ) -> None:
        self.about = about
        self.answer = Future[T]()
        self.heard = math.inf  # when it began or made a step, monotonic
        self._work = work
        self._discard = discard
        self._lock = threading.Lock()
        self._is_dropped = False

    def run(self) -> None:
        try:
            self._check()
            found = self._work(self._check)
        except Exception as error:
            self.answer.set_exception(error)
            return
        with self._lock:
            if self._is_dropped:
                self._discard(found)
            self.answer.set_result(found)

    def drop(self) -> None:
        with self._lock:
            self._is_dropped = True
            if self.answer.done() and self.answer.exception() is None:
                self._discard(self.answer.result())

    def _check(self) -> None:
        self.heard = time.monotonic()
        if self._is_dropped:
            raise BrokenOffError


class Background:
    """Every method is called from the loop only. `on_end` is called in the threads."""

    def __init__(self, on_end: Callable[[], None]) -> None:
        self._on_end = on_end
        # By job and kind, with what exactly is wanted.
        self._tasks: dict[int, dict[str, tuple[Hashable, _Task[Any]]]] = {}
        self._loose: list[_Task[None]] = []  # those of no job
        # What the threads take from: the one of long tasks, and the other's.
        self._queues: dict[bool, SimpleQueue[_Task[Any]]] = {}
        self._at_work: dict[bool, _Task[Any]] = {}  # what each of them took last

    def result(
        self,
        about: About,
        wanted: Hashable,
        work: Callable[[Check], T],
        discard: Callable[[T], None] = lambda _: None,
        is_long: bool = False,
    ) -> T:
        """What `work` of that job and kind returned or raised, where the same was wanted.

        If something else was, that is dropped and this begun.
        Raises UnderWayError before it has ended, and OSError where there is no room for a thread.
        """
        known, task = self._tasks.get(about.job, {}).get(about.kind, (None, None))
        if task is not None and known != wanted:
            task.drop()
            task = None
        if task is None:
            task = _Task(about, work, discard)
            self._begin(task, is_long)
            self._tasks.setdefault(about.job, {})[about.kind] = wanted, task
        if not task.answer.done():
            raise UnderWayError
        found: T = task.answer.result()
        return found

    def _begin(self, task: _Task[Any], is_long: bool) -> None:
        if is_long not in self._queues:
            queue = SimpleQueue[_Task[Any]]()
            work = threading.Thread(target=self._work, args=(is_long,), name="slow", daemon=True)
            self._queues[is_long] = queue
            try:
                start_thread(work)
            except OSError:
                del self._queues[is_long]
                raise
        self._queues[is_long].put(task)

    def _work(self, is_long: bool) -> None:
        queue = self._queues[is_long]
        while True:
            task = self._at_work[is_long] = queue.get()
            task.run()
            self._on_end()

    def standing_still(self, since: float) -> list[tuple[About, float]]:
        """The tasks under way that have not made a step since then, and when they made one."""
        at_work = [task for task in list(self._at_work.values()) if not task.answer.done()]
        return [(task.about, task.heard) for task in at_work if task.heard <= since]

    def do(self, kind: str, folder: Path, work: Callable[[], None]) -> None:
        """Have a long task done some time, for no job; nobody waits for it."""
        task = _Task(About(0, kind, folder), lambda _: work(), lambda _: None)
        try:
            self._begin(task, is_long=True)
        except OSError:  # no room for a thread
            work()
            return
        self._loose = [*(task for task in self._loose if not task.answer.done()), task]

    def ask(self, question: Callable[[], T]) -> Future[T]:
        """In a thread of its own, for no job; nothing waits for it when the daemon ends.

        Raises OSError where there is no room for a thread.
        """
        answer = asked_in_thread(question)
        answer.add_done_callback(lambda _: self._on_end())
        return answer

    def is_busy_with(self, job: int) -> bool:
        """Whether work for this job has not ended yet."""
        tasks = self._tasks.get(job)
        return tasks is not None and not all(task.answer.done() for _, task in tasks.values())

    @property
    def is_busy(self) -> bool:
        """Whether any work has not ended yet."""
        is_loose = any(not task.answer.done() for task in self._loose)
        return is_loose or any(self.is_busy_with(job) for job in self._tasks)

    def drop(self, job: int) -> None:
        """Nothing more is wanted for this job: break off what is under way, discard the rest."""
        for _, task in self._tasks.pop(job, {}).values():
            task.drop()

    def stop(self) -> None:
        """Drop everything, and give the tasks under way a moment to break off."""
        answers = [task.answer for tasks in self._tasks.values() for _, task in tasks.values()]
        for job in list(self._tasks):
            self.drop(job)
        wait(answers, _STOP_SECONDS)
