"""The last steps of a file, which need no process: delivery, or quarantine."""

from __future__ import annotations

import os
from collections.abc import Callable

from daemon.domain.job import Job, Stage, printable
from daemon.files.recording import is_unchanged
from daemon.handoff.artefacts import InvalidArtefactError
from daemon.outbox import summary
from daemon.outbox.archive import StaysError
from daemon.supervisor.context import Context


def archive(context: Context, job: Job) -> None:
    """File a delivered recording away, if it can be moved. Raises OSError."""
    try:
        context.publisher.archive(job)
    except StaysError as error:
        context.event_log.warning("kept", f"the recording stays in the inbox: {error}", job)


class LastSteps:
    """Each step may be repeated after a crash.

    `used_up` tells whether a stage may not be tried again, and draws the consequence; `unsettled`
    is shared with the intake, and None where there is no inbox.
    """

    def __init__(
        self, context: Context, used_up: Callable[[Job, Stage], bool], unsettled: set[int] | None
    ) -> None:
        self._context = context
        self._used_up = used_up
        self._unsettled = unsettled
        self._sought: set[int] = set()  # jobs whose missing file the next scans look for

    def publish(self, job: Job) -> None:
        """Deliver the results, then file the recording away. Raises OSError: pause, then again."""
        context = self._context
        if self._is_stale(job):
            context.ledger.advance(job.id, Stage.PREPARE)
            return
        if self._has_to_be_sought(job) or self._used_up(job, Stage.PUBLISH):
            return
        context.ledger.begin(job.id, Stage.PUBLISH, context.unix_time())
        try:
            delivery, paths = context.publisher.publish(job, context.unix_time)
            if self._has_to_be_sought(job):  # it left in the meantime
                context.ledger.uncount_start(job.id, Stage.PUBLISH)
                return
            archive(context, job)
        except InvalidArtefactError:
            context.ledger.uncount_start(job.id, Stage.PUBLISH)
            context.ledger.advance(job.id, Stage.PREPARE)  # somebody tidied the state folder
            return
        except OSError:
            context.ledger.uncount_start(job.id, Stage.PUBLISH)
            raise
        context.ledger.finish(job.id, Stage.DONE, context.unix_time())
        self._sought.discard(job.id)
        context.publisher.clear(job)
        context.pause.end("work")
        facts = summary.facts(delivery, paths, context.unix_time())
        context.event_log.info("done", summary.line(delivery, facts), job, **facts)

    def _is_stale(self, job: Job) -> bool:
        """Whether the file changed after we read it; if so, it has to settle again.

        A delivery that has begun (its name is reserved) is finished all the same: half of it may
        be in the outbox. What is in the inbox now then becomes a job of its own.
        """
        if (
            self._unsettled is None
            or job.stem is not None
            or is_unchanged(job.source, job.identity)
        ):
            return False
        if os.path.lexists(job.source):
            self._unsettled.add(job.id)
            return True
        return False

    def _has_to_be_sought(self, job: Job) -> bool:
        """Whether to look for the file first: under another name, it must not come in again."""
        if self._unsettled is None or job.id in self._sought or os.path.lexists(job.source):
            return False
        self._sought.add(job.id)
        self._unsettled.add(job.id)
        return True

    def quarantine(self, job: Job) -> None:
        """Move the recording to failed/, with the reason beside it. Raises OSError."""
        context = self._context
        report, stays = context.publisher.quarantine(job)
        if stays:
            context.event_log.warning("kept", f"the recording stays in the inbox: {stays}", job)
        context.ledger.finish(job.id, Stage.FAILED, context.unix_time())
        context.publisher.clear(job)
        reason = job.failure.message if job.failure else ""
        kind = job.failure.kind if job.failure else ""
        context.event_log.warning(
            "failed",
            f"failed: {reason}. See {printable(report.name)}",
            job,
            reason=reason,
            kind=kind,
        )
