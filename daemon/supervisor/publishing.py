"""The end of a job's way: rendered by PUBLISH, delivered here, or its recording to failed/."""

from __future__ import annotations

from functools import cached_property
from itertools import islice, takewhile

from daemon.domain.job import Job, Stage
from daemon.handoff.outputs import find_outputs
from daemon.supervisor.context import Context
from daemon.supervisor.last_steps import LastSteps
from daemon.supervisor.places import Places
from daemon.supervisor.starts import Starts
from daemon.supervisor.turns import Turns
from daemon.supervisor.waiting import SORTED, WaitingJobs


class Publishing:
    """Looks at those jobs only that may have been rendered: many more may wait for it."""

    def __init__(
        self,
        context: Context,
        last_steps: LastSteps,
        waiting: WaitingJobs,
        starts: Starts,
        places: Places,
        turns: Turns,
    ) -> None:
        self._context = context
        self._last_steps = last_steps
        self._waiting = waiting
        self._starts = starts
        self._places = places
        self._turns = turns
        self._counted: set[int] = set()  # jobs whose start of PUBLISH was counted by us

    @cached_property
    def _undelivered(self) -> set[int]:
        """Jobs that may have their outputs: at first, because an earlier daemon rendered them."""
        return set(self._context.ledger.waiting(Stage.PUBLISH))

    def take_due(self, now: float) -> None:
        """Deliver or quarantine what can be, and have the next one rendered. Raises OSError."""
        self._take_last_steps(now)
        if self._places.has_publisher(now):
            coming = self._waiting.first_at(Stage.PUBLISH, now)
            unrendered = (job for job in coming if job.id not in self._undelivered)
            for job in takewhile(lambda _: self._places.has_publisher(now), unrendered):
                # That it can be rendered does not end a pause: whether it arrives is the question.
                self._turns.guard(job, Stage.PUBLISH, lambda job: self._render(job, now))

    def _take_last_steps(self, now: float) -> None:
        failed = list(islice(self._waiting.at(Stage.QUARANTINE, now), SORTED))
        rendered = self._rendered_jobs(now)
        if not (failed or rendered):
            return
        paths = self._context.config.paths
        self._context.mounts.check_answering([paths.outbox, paths.done, paths.failed])
        self._turns.take(failed, Stage.QUARANTINE, self._last_steps.quarantine, now)
        named = [job for job in rendered if self._context.publisher.may_publish(job)]
        self._turns.take(named, Stage.PUBLISH, self._deliver, now)

    def _rendered_jobs(self, now: float) -> list[Job]:
        ledger = self._context.ledger
        under_way = {attempt.job.id for attempt in self._context.attempts.of(Stage.PUBLISH)}
        jobs = [(number, ledger.job(number)) for number in sorted(self._undelivered - under_way)]
        waiting = [job for _, job in jobs if job is not None and job.next is Stage.PUBLISH]
        self._undelivered -= {number for number, _ in jobs} - {job.id for job in waiting}
        return [job for job in waiting if self._waiting.may_start(job.id, now)]

    def _deliver(self, job: Job) -> None:
        is_counted = job.id in self._counted
        if self._last_steps.wait_for_file(job):
            return
        if not (is_counted or self._starts.may_be_tried(job, Stage.PUBLISH)):
            return
        if not self._starts.profiles_are_good(job, Stage.PUBLISH):
            return
        if (outputs := find_outputs(self._context.folder(job.id))) is None:
            self._undelivered.discard(job.id)  # it has to be rendered, perhaps again
            return
        self._counted.discard(job.id)
        self._last_steps.deliver(job, outputs, is_counted)

    def _render(self, job: Job, now: float) -> None:
        if self._last_steps.wait_for_file(job):
            return
        is_good = self._starts.profiles_are_good(job, Stage.PUBLISH)
        if is_good and self._starts.begin(job, Stage.PUBLISH, now):
            self._counted.add(job.id)
            self._undelivered.add(job.id)
