"""The last steps of a file, which need no process: delivery, or quarantine."""

from __future__ import annotations

import os
from collections.abc import Callable

from daemon.domain.job import Job, Stage, printable
from daemon.files.recording import is_unchanged
from daemon.handoff.artefacts import InvalidArtefactError
from daemon.outbox import summary
from daemon.supervisor.context import Tools


def archive(tools: Tools, job: Job) -> None:
    """File a delivered recording away, if it can be moved. Raises OSError."""
    if not tools.courier.archive(job):
        message = "the recording may not be moved (is it locked?): it stays in the inbox"
        tools.journal.warn("kept", message, job)


class Finishing:
    """Each step may be repeated after a crash.

    `used_up` tells whether a stage may not be tried again, and draws the consequence; `unsettled`
    is shared with the intake, and None where there is no inbox.
    """

    def __init__(
        self, tools: Tools, used_up: Callable[[Job, Stage], bool], unsettled: set[int] | None
    ) -> None:
        self._tools = tools
        self._used_up = used_up
        self._unsettled = unsettled
        self._sought: set[int] = set()  # jobs whose missing file the next scans look for

    def publish(self, job: Job) -> None:
        """Deliver the results, then file the recording away. Raises OSError: pause, then again."""
        tools = self._tools
        if self._is_stale(job):
            tools.ledger.advance(job.id, Stage.PREPARE)
            return
        if self._has_to_be_sought(job) or self._used_up(job, Stage.PUBLISH):
            return
        tools.ledger.begin(job.id, Stage.PUBLISH, tools.wall())
        try:
            delivery, paths = tools.courier.publish(job, tools.wall)
            if self._has_to_be_sought(job):  # it left in the meantime
                tools.ledger.give_back(job.id, Stage.PUBLISH)
                return
            archive(tools, job)
        except InvalidArtefactError:
            tools.ledger.give_back(job.id, Stage.PUBLISH)
            tools.ledger.advance(job.id, Stage.PREPARE)  # somebody tidied the state folder
            return
        except OSError:
            tools.ledger.give_back(job.id, Stage.PUBLISH)
            raise
        tools.ledger.finish(job.id, Stage.DONE, tools.wall())
        self._sought.discard(job.id)
        tools.courier.clear(job)
        tools.pause.end("work")
        facts = summary.facts(delivery, paths, tools.wall())
        tools.journal.tell("done", summary.line(delivery, facts), job, **facts)

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
        tools = self._tools
        report = tools.courier.quarantine(job)
        tools.ledger.finish(job.id, Stage.FAILED, tools.wall())
        tools.courier.clear(job)
        reason = job.failure.message if job.failure else ""
        kind = job.failure.kind if job.failure else ""
        tools.journal.warn(
            "failed",
            f"failed: {reason}. See {printable(report.name)}",
            job,
            reason=reason,
            kind=kind,
        )
