"""The last steps of a file, which need no process: delivery once it is rendered, or quarantine."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from pathlib import Path

from daemon.domain.job import Identity, Job, Stage
from daemon.domain.names import printable
from daemon.files.background import UnderWayError
from daemon.files.recording import is_same_file, is_unchanged
from daemon.handoff.outputs import OutputSet
from daemon.inbox.scan import candidate
from daemon.outbox import documents, placing, summary
from daemon.outbox.archive import StaysError
from daemon.supervisor.context import Context
from daemon.supervisor.events import StopNow
from daemon.supervisor.held_jobs import HeldJobs


def archive(context: Context, job: Job) -> Path | None:
    """File a delivered recording away, if it can be moved; where it lies now. Raises OSError."""
    try:
        return context.publisher.archive(job)
    except StaysError as error:
        _keep(context, job, str(error))
        return job.source


def _keep(context: Context, job: Job, reason: str) -> None:
    """It stays in the inbox. To try to move it may have changed its times: it is no new file."""
    found = candidate(job.source)
    if found is not None and is_same_file(found.identity, job.identity):
        context.ledger.relocate(job.id, found)
    context.event_log.warning("kept", f"the recording stays in the inbox: {reason}", job)


def skip_if_delivered(context: Context, job: Job, sha256: str) -> bool:
    """Whether the results are there already; the recording is filed away then. Raises OSError."""
    known = _stem_of_the_same(context, job, sha256)
    duplicate = None if known is not None else _stem_of_a_duplicate(context, sha256)
    stem = known if known is not None else duplicate
    if stem is None:
        return False
    recording = archive(context, job)
    context.event_log.info(
        "unchanged",
        "the same recording was delivered before" + (f", as {printable(stem)}" if stem else ""),
        job,
        duplicate=duplicate is not None,
        outputs=[f"{stem}.{placing.JSON}"] if stem else [],
        recording=str(recording) if recording else None,
    )
    return True


def _stem_of_the_same(context: Context, job: Job, sha256: str) -> str | None:
    """The stem of this very file's results: it was kept, or an earlier ledger was lost.

    Empty where the ledger knows of the delivery and no longer of its name; None without results.
    """
    publisher, ledger = context.publisher, context.ledger
    if context.config.output.source == "keep":
        if (kept := ledger.delivered(job.source, sha256)) is not None:
            return kept.stem or ""
        if (published := publisher.published(job, sha256)) is not None:  # a later ledger was lost
            return published
    stem = ledger.recovered(job.source.with_name(job.name), sha256)
    return stem if stem is not None and publisher.is_delivered(stem) else None


def _stem_of_a_duplicate(context: Context, sha256: str) -> str | None:
    """The stem of the results of another file of these bytes, where such are to be skipped."""
    if context.config.output.duplicates != "skip":
        return None
    earlier = context.ledger.delivered_content(sha256)
    stem = earlier.stem if earlier else None
    return stem if stem is not None and context.publisher.is_delivered(stem) else None


def left_behind_by(context: Context, job: Job, sha256: str) -> Job | None:
    """The earlier job of the recording that `job` has read, if the file has left its place.

    By its bytes: volumes exist that give a renamed file another inode. Where the delivery has
    begun, the inode counts as well: the file may lie in done/, and this be another like it.
    """
    for found in context.ledger.unfinished_reading(sha256, besides=job.id):
        is_same = found.identity.inode == job.identity.inode or not found.has_begun_delivery
        if is_same and not os.path.lexists(found.source):
            return found
    return None


class LastSteps:
    """Each step may be repeated after a crash."""

    def __init__(self, context: Context, held: HeldJobs) -> None:
        self._context = context
        self._held = held
        self._searched: set[int] = set()  # jobs whose missing file the next scans look for
        # Which results are in the outbox already, of the file that a job was then.
        self._published: dict[int, tuple[Identity, list[str]]] = {}

    def wait_for_file(self, job: Job) -> bool:
        """Whether delivery waits: the file changed and is read again, or has to be looked for."""
        if self._is_stale(job) and self._held.hold(job.id):
            self._context.ledger.move(job.id, Stage.PREPARE)
            return True
        return self._wait_for_search(job)

    def deliver(self, job: Job, outputs: OutputSet, is_counted: bool) -> None:
        """Deliver the rendered results, then file the recording away.

        `is_counted`: the start of PUBLISH was counted in this process, when its rendering began.
        Raises OSError, sqlite3.OperationalError, or UnderWayError where the recording is filed away
        in the background: its start is uncounted then, if that can be, and it is to be tried again.
        """
        context = self._context
        if not is_counted:
            context.ledger.begin(job.id, Stage.PUBLISH, context.unix_time())
        try:
            names = self._publish(job, outputs)
            # It may leave in the meantime, or at the very moment at which it is filed away.
            has_escaped = self._wait_for_search(job)
            recording = None if has_escaped else archive(context, job)
            if recording is None and context.config.output.source != "delete":
                has_escaped = has_escaped or self._wait_for_search(job)
            if has_escaped:
                context.ledger.uncount_start(job.id, Stage.PUBLISH)
                return
            has_left = not os.path.lexists(job.source)
            context.ledger.finish(job.id, Stage.DONE, context.unix_time(), has_left)
        except (OSError, sqlite3.OperationalError, StopNow, UnderWayError):
            with contextlib.suppress(sqlite3.OperationalError):
                context.ledger.uncount_start(job.id, Stage.PUBLISH)
            raise
        self._searched.discard(job.id)
        del self._published[job.id]
        context.publisher.clear(job)
        context.pause.end("work")
        records = context.ledger.records(job.id, documents.REPORTED)
        now = context.unix_time()
        facts = summary.facts(job, outputs.facts, names, records, now)
        facts["recording"] = str(recording) if recording else None
        context.event_log.info("done", summary.line(facts), job, **facts)

    def _publish(self, job: Job, outputs: OutputSet) -> list[str]:
        """Once: it may take long until the recording is filed away.

        What somebody takes out of the outbox meanwhile is not put there again.
        """
        of, names = self._published.get(job.id, (None, []))
        if of is None or not is_same_file(of, job.identity):
            names = self._context.publisher.publish(job, outputs)
            self._published[job.id] = job.identity, names
        return names

    def _is_stale(self, job: Job) -> bool:
        """Whether the file changed after we read it; if so, it has to settle again.

        A delivery that has begun (its name is reserved) is finished all the same: half of it may
        be in the outbox. What is in the inbox now then becomes a job of its own.
        """
        unread = job.stem is None and os.path.lexists(job.source)
        return unread and not is_unchanged(job.source, job.identity)

    def _wait_for_search(self, job: Job) -> bool:
        """Whether a scan looks for the file first: under another name, it must not come in again.

        That happens once; where no inbox is watched, there is nothing to look through.
        """
        if os.path.lexists(job.source):
            self._searched.discard(job.id)  # should it leave again, it is looked for again
            return False
        if job.id in self._searched:
            return False
        if not self._held.hold(job.id):
            return False
        self._searched.add(job.id)
        return True

    def quarantine(self, job: Job) -> None:
        """Move the recording to failed/, with the reason beside it.

        Raises OSError, and UnderWayError while that is done in the background.
        """
        context = self._context
        self._published.pop(job.id, None)
        report, recording, stays = context.publisher.quarantine(job)
        if stays:
            _keep(context, job, stays)
        has_left = not os.path.lexists(job.source)
        context.ledger.finish(job.id, Stage.FAILED, context.unix_time(), has_left)
        context.publisher.clear(job)
        reason = job.failure.message if job.failure else ""
        kind = job.failure.kind if job.failure else ""
        context.event_log.warning(
            "failed",
            f"failed: {reason}. See {printable(report.name)}",
            job,
            reason=reason,
            kind=kind,
            recording=str(recording) if recording else None,
        )
