"""What is long over goes: recordings to the Trash, if that is wished, and the queue's history."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path

from daemon.domain.job import TERMINAL, Job, Stage
from daemon.domain.names import inside_inbox
from daemon.files.real_path import real_path
from daemon.outbox.archive import filed_as
from daemon.supervisor.context import Context

_EVERY = 6 * 3600.0  # seconds between two looks
_DAY = 86_400.0
_AT_ONCE = 100  # jobs looked at in a turn of the loop


def to_trash(path: Path) -> None:
    """Move a file to the Trash of this desktop. Raises OSError."""
    from send2trash import send2trash  # noqa: PLC0415 - a rare wish

    send2trash(path)


class Retention:
    """Goes through the finished jobs a few times a day, the oldest first, some in each turn.

    Only recordings that we filed in done/ ourselves go to the Trash. A job leaves the history, and
    its folder goes, after limits.keep_days; not while its recording lies in the inbox (it would
    come in again) or in failed/ (it may be retried).
    """

    def __init__(self, context: Context, discard: Callable[[Path], None] = to_trash) -> None:
        self._context = context
        self._discard = discard
        self._at = -_EVERY
        self._after: int | None = None  # the job that was looked at last; None: all were

    def tidy(self) -> None:
        """Call as often as you like."""
        context, now = self._context, self._context.clock()
        if self._after is None:
            if now - self._at < _EVERY:
                return
            self._at, self._after = now, 0
        trash, history = context.config.output.keep_days, context.config.limits.keep_days
        soonest = min((days for days in (trash, history) if days), default=None)
        jobs: list[Job] = []
        if soonest is not None:
            jobs = context.ledger.oldest(self._after, _AT_ONCE)
        old = [job for job in jobs if self._is_old(job, soonest or 0)]
        with contextlib.suppress(sqlite3.OperationalError):  # locked, or a full disk: later
            if trash:
                self._trash([job for job in old if self._is_old(job, trash)], trash)
            if history:
                self._forget([job for job in old if self._is_old(job, max(history, trash))])
        is_end = len(jobs) < _AT_ONCE or not self._is_past(jobs[-1].admitted_at, soonest or 0)
        self._after = None if is_end else jobs[-1].id

    def _is_past(self, moment: float, days: int) -> bool:
        return moment <= self._context.unix_time() - days * _DAY

    def _is_old(self, job: Job, days: int) -> bool:
        is_over = job.next in TERMINAL
        return is_over and self._is_past(job.finished_at or job.admitted_at, days)

    def _trash(self, jobs: list[Job], days: int) -> None:
        context, paths = self._context, self._context.config.paths
        inbox = real_path(paths.inbox)
        for job in jobs:
            if job.next is not Stage.DONE:
                continue
            places = filed_as(job.source.name, paths.done / inside_inbox(job.source.parent, inbox))
            try:
                path = next((place for place in places if _is_recording(place, job)), None)
                if path is not None:
                    self._discard(path)
                    kept = "a day" if days == 1 else f"{days} days"
                    context.event_log.info("trashed", f"to the Trash after {kept}: {path}", job)
            except OSError as error:
                context.event_log.warning("kept", f"not moved to the Trash: {error}", job)
                return

    def _forget(self, jobs: list[Job]) -> None:
        context, paths = self._context, self._context.config.paths
        inbox, over = real_path(paths.inbox), []
        for job in jobs:
            places = filed_as(
                job.source.name, paths.failed / inside_inbox(job.source.parent, inbox)
            )
            may_be_retried = job.next is Stage.FAILED and any(map(os.path.lexists, places))
            if not may_be_retried and not os.path.lexists(job.source):
                over.append(job)
        for job in over:
            shutil.rmtree(context.folder(job.id), ignore_errors=True)
        if over:
            context.ledger.forget(job.id for job in over)


def _is_recording(path: Path, job: Job) -> bool:
    """Whether the recording that was read lies there, unchanged. Raises OSError."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return False
    kept = (status.st_size, status.st_mtime_ns)
    return kept == (job.identity.size, job.identity.mtime_ns)
