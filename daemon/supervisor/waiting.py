"""Which jobs wait for a stage, and in which order their turns come."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from daemon.domain.job import TERMINAL, Job, Stage
from daemon.supervisor.context import Context
from daemon.supervisor.transitions import Transitions

SORTED = 100  # waiting files that are put in order; a longer queue follows as it came
_MANY = 20  # waiting files whose order holds for a second


@dataclass(slots=True)
class _Order:
    """The first jobs that waited for a stage, in their order, which holds until then."""

    jobs: list[int]
    until: float


class WaitingJobs:
    """With `only`, there is no job but that one."""

    def __init__(self, context: Context, transitions: Transitions, only: int | None) -> None:
        self._context = context
        self._transitions = transitions
        self._only = only
        self._orders: dict[Stage, _Order] = {}

    def at(self, stage: Stage, now: float, by_due: bool = False) -> Iterator[Job]:
        """Those for which `stage` is next and may begin: by priority, then as the ledger says."""
        busy = self._busy(stage)
        ledger = self._context.ledger
        coming = (job for job in ledger.waiting(stage, by_due) if job not in busy)
        for number in self._by_priority(coming):
            if number in busy or not self.may_start(number, now):
                continue
            if (job := ledger.job(number)) is not None and job.next is stage:
                yield job
                busy = self._busy(stage)

    def first_at(self, stage: Stage, now: float, by_due: bool = False) -> Iterator[Job]:
        """As `at`; where many wait, in the order of the last second, and none beyond the first.

        To put a hundred in order for each that is started is dear. If none of them can start, all
        are looked at, as they are now.
        """
        order = self._orders.get(stage)
        if order is None or len(order.jobs) < _MANY or now >= order.until:
            coming = self._by_priority(self._context.ledger.waiting(stage, by_due))
            order = self._orders[stage] = _Order(list(islice(coming, SORTED)), now + 1.0)
        has_found = False
        for job in self._startable(order, stage, now):
            has_found = True
            yield job
        if not has_found:
            yield from self.at(stage, now, by_due)

    def _startable(self, order: _Order, stage: Stage, now: float) -> Iterator[Job]:
        busy = self._busy(stage)
        for number in order.jobs.copy():
            if number in busy or not self.may_start(number, now):
                continue
            job = self._context.ledger.job(number)
            if job is not None and job.next is stage:
                yield job
            else:
                order.jobs.remove(number)

    def _busy(self, stage: Stage) -> set[int]:
        running = self._context.attempts.running
        return {attempt.job.id for attempt in running if attempt.stage is stage}

    def may_start(self, job: int, now: float) -> bool:
        """Whether nothing holds this job back, and we work on it."""
        is_busy = self._context.background.is_busy_with(job)
        return self.is_ours(job) and not is_busy and self._transitions.may_start(job, now)

    def is_ours(self, job: int) -> bool:
        return self._only is None or job == self._only

    def anything_left(self) -> bool:
        """Whether any job of ours is not at its end."""
        ledger = self._context.ledger
        if self._only is None:
            return ledger.anything_active()
        job = ledger.job(self._only)
        return job is not None and job.next not in TERMINAL

    def _by_priority(self, jobs: Iterator[int]) -> Iterator[int]:
        """The next ones by the priority that their profiles give them; the rest as they came."""
        first = list(islice(jobs, SORTED))
        if len(first) > 1:
            lately = self._context.configs_lately(first)
            first.sort(key=lambda job: lately[job].queue.priority, reverse=True)
        yield from first
        yield from jobs
