"""From the inbox to the ledger: scanned, still for long enough, then one row a file."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TypeVar

from daemon.domain.job import TERMINAL, Candidate, Failure, FailureKind, Identity, Job, Stage
from daemon.domain.names import printable
from daemon.inbox.completeness import CompletenessCheck
from daemon.inbox.scan import Look, Settling, look_into
from daemon.inbox.scan import candidate as candidate_at
from daemon.inbox.unfinished import UnfinishedFiles
from daemon.ledger.cancellations import Cancellations
from daemon.ledger.inbox_scan import LedgerScan, Seen
from daemon.supervisor.context import Context
from daemon.supervisor.held_jobs import HeldJobs
from daemon.supervisor.transitions import Transitions

_MENTIONED = 20  # names a scan
_AT_ONCE = 20_000  # files a scan: more than that wait for the next one, so that memory is bounded
_COMPARED = 5_000  # files that are held against the ledger in a turn of the loop
_A_TURN = 200  # files that become jobs in a turn of the loop: other work goes on in between

_CANCELLABLE = {Stage.PREPARE, Stage.TRANSCRIBE, Stage.ALIGN, Stage.PUBLISH}

T = TypeVar("T")
_Kept = tuple[int, int, int]  # what a rename keeps: inode, size and modification time


@dataclass(frozen=True, slots=True)
class _Comparison:
    """A look, which began at `now`, that is held against the ledger; `rows` are still to come."""

    look: Look
    now: float
    rows: Iterator[Seen]
    seen: LedgerScan


class Admission:
    """Decides which files become jobs, and notices when a job's file moved, changed or left."""

    def __init__(
        self,
        inbox: Path,
        context: Context,
        transitions: Transitions,
        held: HeldJobs,
        completeness: CompletenessCheck,
        unfinished: UnfinishedFiles,
        break_off: Callable[[], None] = lambda: None,
    ) -> None:
        self._inbox = inbox
        self._break_off = break_off  # called between two files where there may be very many
        self._extensions = context.config.watch.extensions
        self._recursive = context.config.watch.recursive
        self._context = context
        self._ledger = context.ledger
        self._event_log = context.event_log
        self._transitions = transitions
        self._cancelled = Cancellations(context.config.paths.state)
        self._held = held
        watch = context.config.watch
        self._completeness = completeness
        self._unfinished = unfinished
        self._settling = Settling(
            watch.settle_seconds,
            watch.empty_seconds,
            completeness,
            unfinished.note_growth,
            completeness.is_finished,
        )
        self._passed_over: set[str] = set()
        self._sought: frozenset[int] = frozenset()  # held jobs, when the last look began
        self._looked_for: frozenset[int] = frozenset()  # and the last that was taken in
        self._missing: set[int] = set()  # jobs whose file the last scan did not find
        self._comparison: _Comparison | None = None  # of the last look, while that lasts
        self._settled: list[Candidate] = []  # of the last look, still to be decided about
        self._absent: Mapping[_Kept, int] = {}  # jobs whose file that look did not find

    @property
    def settling(self) -> int:
        """How many files have not been still for long enough."""
        return len(self._settling)

    @property
    def has_more(self) -> bool:
        """Whether files that the last look found are still to be decided about."""
        return self._comparison is not None or bool(self._settled)

    @property
    def waiting(self) -> Mapping[Path, str]:
        """Files that wait for somebody else, and why."""
        return self._completeness.waiting

    def due(self) -> float | None:
        """When a scan can find the next file settled (monotonic), or a job's file again."""
        return -math.inf if self._held.all() - self._looked_for else self._settling.due()

    def before_look(self) -> None:
        """The held jobs of this moment are those whose files the look that begins can find."""
        self._give_up_what_is_cancelled()
        self._sought = self._held.all()

    def look(self) -> Look:
        """What lies in the inbox. May take long, so it touches neither the ledger nor the jobs.

        Raises OSError if the inbox is gone.
        """
        return look_into(self._inbox, self._extensions, self._recursive)

    def take_in(self, look: Look, now: float) -> None:
        """What a look that began at `now` found is decided about next: call `go_on`."""
        self._looked_for = self._sought
        rows = self._stoppable(look.rows)
        self._comparison = _Comparison(look, now, rows, self._ledger.compare())

    def go_on(self, unix_time: float) -> bool:
        """Decide about some of it, as long as it `has_more`; True if a look has been compared.

        Raises OSError or sqlite3.OperationalError: call it again, or `drop`.
        """
        if self._comparison is None:
            self._admit_more(unix_time)
            return False
        some = list(islice(self._comparison.rows, _COMPARED))
        self._comparison.seen.add(some)
        if len(some) == _COMPARED:
            return False
        self._decide(self._comparison, unix_time)
        return True

    def _decide(self, comparison: _Comparison, unix_time: float) -> None:
        """By all that a look found."""
        look, seen = comparison.look, comparison.seen
        fresh = seen.fresh(_AT_ONCE)
        absent = seen.absent(self._inbox, _AT_ONCE)
        looked_at = [*fresh, *self._unread(seen, fresh)]
        self._completeness.keep_only([candidate.path for candidate in looked_at])
        self._settled = self._settling.look(self._stoppable(looked_at), comparison.now)
        self._absent = {_kept(job.identity): job.id for job in absent}
        self._comparison = None
        self._admit_more(unix_time)
        self._drop_the_gone(absent, fresh, unix_time)
        self._mention(look.reasons)
        self._context.publisher.emptied.remove()

    def _stoppable(self, found: Iterable[T]) -> Iterator[T]:
        for one in found:
            self._break_off()
            yield one

    def _unread(self, seen: LedgerScan, fresh: Iterable[Candidate]) -> list[Candidate]:
        """The files that changed while they were read, and have not changed since."""
        jobs = [job for number in self._held.all() if (job := self._ledger.job(number)) is not None]
        found = [one for job in jobs if (one := seen.at(job.source)) is not None]
        changed = {candidate.path for candidate in fresh}
        return [candidate for candidate in found if candidate.path not in changed]

    def _admit_more(self, unix_time: float) -> None:
        """Decide about the next of the settled files."""
        fresh: list[Candidate] = []
        for candidate in self._settled[:_A_TURN]:
            job = self._ledger.active_at(candidate.path) or self._moved(candidate)
            if job is None:
                # The look may be older than the move that filed this recording away.
                if candidate_at(candidate.path) == candidate:
                    fresh.append(candidate)
            elif not job.has_begun_delivery:
                self._renew(job, candidate)
            elif candidate.path != job.source:  # delivered already, but not yet filed away
                self._transitions.follow(job, candidate)
            # else: its delivery has begun and is finished first; then this is a new recording
        for job in self._ledger.admit(fresh, unix_time):
            self._event_log.info(
                "queued", f"queued ({_size(job.identity)})", job, bytes=job.identity.size
            )
        del self._settled[:_A_TURN]

    def drop(self) -> None:
        """Leave what is not decided to the next look."""
        self._comparison = None
        self._settled = []

    def _moved(self, candidate: Candidate) -> Job | None:
        """The job whose file was not found where it was, and may be this one, as it is now."""
        number = self._absent.get(_kept(candidate.identity))
        job = self._ledger.job(number) if number is not None else None
        return job if job is not None and job.next not in TERMINAL else None

    def _renew(self, job: Job, candidate: Candidate) -> None:
        if candidate.refusal is not None:
            self._transitions.abandon(job)
            self._held.release(job.id)
            failure = Failure(Stage.PREPARE, FailureKind.BAD_INPUT, candidate.refusal)
            self._ledger.mark_failed(job.id, failure)
        elif (candidate.path, candidate.identity) != (job.source, job.identity):
            # Where a volume keeps no change times, a rename leaves the identity as it was.
            self._unfinished.note_growth(candidate.path)
            self._transitions.follow(job, candidate)
        else:
            self._transitions.abandon(job)
            self._held.release(job.id)

    def _drop_the_gone(
        self, absent: Iterable[Job], fresh: Iterable[Candidate], unix_time: float
    ) -> None:
        """Two scans must miss a file: a rename can hide it from one for a moment."""
        settling = {_kept(candidate.identity) for candidate in fresh}
        missing = [
            job
            for job in absent
            if (job.next is Stage.PREPARE or job.id in self._held)
            and _kept(job.identity) not in settling
        ]
        unread = self._unread_sizes(missing, fresh)
        for job in missing:
            if job.id in self._missing and not self._may_be_elsewhere(job, unread):
                self._give_up(job, unix_time)
        self._missing = {job.id for job in missing}

    def _unread_sizes(self, missing: Iterable[Job], fresh: Iterable[Candidate]) -> set[int]:
        """Those of files that are not read yet, if that matters to a job whose file is missing."""
        if all(job.next is Stage.PREPARE for job in missing):
            return set()
        return self._ledger.unread_sizes() | {candidate.identity.size for candidate in fresh}

    def _may_be_elsewhere(self, job: Job, unread: set[int]) -> bool:
        """Whether a file that is not read yet may be this job's, renamed and touched.

        Its bytes will tell. Its inode would not: some volumes change it, others use it again.
        """
        return job.next is not Stage.PREPARE and job.identity.size in unread

    def _give_up(self, job: Job, unix_time: float) -> None:
        self._held.release(job.id)
        if job.next is Stage.PREPARE:
            self._transitions.abandon(job)
            self._ledger.move(job.id, Stage.GONE, unix_time)
            self._context.publisher.clear(job)
            self._event_log.info("gone", "left the inbox before it was read", job)

    def _give_up_what_is_cancelled(self) -> None:
        for number in self._cancelled.asked():
            job = self._ledger.job(number)
            if job is not None and job.next in _CANCELLABLE and job.stem is None:
                self._transitions.abandon(job)
                self._held.release(job.id)
                failure = Failure(job.next, FailureKind.CANCELLED, "it was cancelled")
                self._ledger.mark_failed(job.id, failure)
            self._cancelled.settle(number)

    @property
    def anything_missing(self) -> bool:
        """Another scan is needed to know whether a file is really gone."""
        return bool(self._missing)

    def _mention(self, reasons: Mapping[str, str]) -> None:
        """Say once that a file is passed over, and not for every file of a whole photo library."""
        current = {name for name in reasons if not name.endswith(".toml")}  # profiles
        for name in sorted(current - self._passed_over)[:_MENTIONED]:
            shown, reason = printable(name), reasons[name]
            self._event_log.info("ignored", f"{shown} is left alone: {reason}", reason=reason)
        self._passed_over = current


def _kept(identity: Identity) -> _Kept:
    return identity.inode, identity.size, identity.mtime_ns


def _size(identity: Identity) -> str:
    size = identity.size
    return f"{size / 1e6:.1f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
