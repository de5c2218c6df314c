"""Recordings that were taken for whole or for broken, and whose rest arrived afterwards.

A writer that stood still for longer than watch.patience_seconds may go on: its file grows in done/
or failed/, where it was moved. It goes back to the inbox then, and is read anew when it is still.
What was delivered of its first part is replaced (outbox/superseded.py).
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from daemon.domain.job import FailureKind, Identity, Job, Stage
from daemon.files.renaming import rename_without_clobbering
from daemon.handoff import artefacts
from daemon.handoff.artefacts import InvalidArtefactError
from daemon.outbox.archive import filed_as, report_of
from daemon.supervisor.context import Context

_LATEST = 20  # finished jobs that are looked at, and as many failed ones
_DAY = 86_400.0  # seconds after which nothing more is expected


class Healing:
    """Looks as often as the inbox is scanned without being asked."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._due = -math.inf  # monotonic

    def look(self) -> None:
        """Put back what has grown since it was filed away; what cannot be moved waits."""
        context, now = self._context, self._context.clock()
        if now < self._due:
            return
        self._due = now + context.config.watch.rescan_seconds
        latest = chain(
            context.ledger.latest(Stage.DONE, _LATEST), context.ledger.latest(Stage.FAILED, _LATEST)
        )
        for job in latest:
            if context.unix_time() - (job.finished_at or 0.0) > _DAY or not self._is_half(job):
                continue
            if not context.ledger.is_latest(job):  # it has been put back, and read again since
                continue
            for path in self._filed(job):
                with contextlib.suppress(OSError):
                    if _has_grown(path, job.identity):
                        self._put_back(job, path)

    def _is_half(self, job: Job) -> bool:
        if job.next is Stage.FAILED:
            failure = job.failure
            return failure is not None and (
                (failure.stage, failure.kind) == (Stage.PREPARE, FailureKind.BAD_INPUT)
            )
        try:
            return artefacts.read_prepared(self._context.folder(job.id)).is_cut_off
        except (InvalidArtefactError, OSError):
            return False

    def _filed(self, job: Job) -> Iterator[Path]:
        """Where it may lie now."""
        paths = self._context.config.paths
        folder = paths.failed if job.next is Stage.FAILED else paths.done
        return filed_as(job.source.name, folder / self._context.publisher.inside(job))

    def _put_back(self, job: Job, path: Path) -> None:
        """Raises OSError."""
        context = self._context
        job.source.parent.mkdir(parents=True, exist_ok=True)
        rename_without_clobbering(path, job.source)  # not over one that is there anew already
        if job.next is Stage.FAILED:
            report_of(path).unlink(missing_ok=True)
        context.event_log.info("grown", "the rest of it has arrived: reading it again", job)


def _has_grown(path: Path, identity: Identity) -> bool:
    """Raises OSError if nothing is there."""
    now = Identity.of(path.lstat())
    return now.inode == identity.inode and now.size > identity.size
