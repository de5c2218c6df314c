"""The files' turns at a step of ours: neither a fault nor a defect of one file stops the others."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable
from typing import TypeVar

from daemon.domain.job import TERMINAL, Job, Stage, StageRecord
from daemon.errors import DropscribeError
from daemon.files.background import UnderWayError
from daemon.files.faults import explain
from daemon.processes import outcome
from daemon.supervisor.context import Context
from daemon.supervisor.transitions import Transitions

T = TypeVar("T")

_FAULTY = 3  # jobs whose last step meets a fault, before the others wait for the next turn


class Turns:
    """Remembers which files are hindered by themselves."""

    def __init__(self, context: Context, transitions: Transitions) -> None:
        self._context = context
        self._transitions = transitions
        self._faulty: set[int] = set()  # jobs whose last step failed while others' worked
        self._standing: set[int] = set()  # and those that failed since any last step has worked

    def take(
        self, jobs: Iterable[Job], stage: Stage, step: Callable[[Job], None], now: float
    ) -> None:
        """Every file's turn comes before a fault pauses the queue: it may be one file's alone.

        Where others' steps work, a file that meets a fault waits for itself, and is told once.
        """
        context = self._context
        faults: list[tuple[Job, OSError]] = []
        for job in jobs:
            try:
                self.guard(job, stage, step)
            except UnderWayError:
                continue
            except OSError as error:
                self._transitions.backoff.wait(job.id, 1, now)  # others go first
                if job.id not in self._faulty:
                    faults.append((job, error))
                    self._standing.add(job.id)
                if len(faults) >= _FAULTY:
                    break
            else:
                self._faulty.discard(job.id)
                self._standing.clear()
                context.pause.end("delivery")
                for other, fault in faults:
                    self._faulty.add(other.id)
                    context.event_log.warning("hindered", f"waits: {explain(fault)}", other)
                faults.clear()
        if faults and (len(self._standing) >= _FAULTY or self._is_all_that_is_left()):
            context.pause.begin("delivery", explain(faults[0][1]), now)

    def _is_all_that_is_left(self) -> bool:
        """Whether every file that is not at its end has met a fault in its last step.

        Delivery and quarantine are taken one after the other, and a file that failed waits a while:
        the faults of one turn are not all that there are.
        """
        left = {job.id for job in self._context.ledger.active()}
        return bool(left) and left <= self._standing | self._faulty

    def guard(self, job: Job, stage: Stage, step: Callable[[Job], T]) -> T | None:
        """Take a step; a defect of ours costs that file an attempt (None), and the others go on."""
        try:
            return step(job)
        except (OSError, sqlite3.Error, DropscribeError, UnderWayError):
            raise
        except Exception as error:
            self._context.event_log.unexpected(f"job {job.id}: {stage}: {error}")
            self._count_defect(job, stage, error)
            return None

    def _count_defect(self, job: Job, stage: Stage, error: Exception) -> None:
        """A step of ours failed in a way that nobody foresaw: one attempt of this file's."""
        ledger, unix_time = self._context.ledger, self._context.unix_time
        current = ledger.job(job.id)
        if current is None or current.next in TERMINAL:  # it failed after the file's end was stored
            return
        if stage is Stage.QUARANTINE:  # nothing is left to try: it stays where it is
            ledger.move(job.id, Stage.FAILED, unix_time())
            return
        if ledger.record(job.id, stage).interruptions() <= 0:
            ledger.begin(job.id, stage, unix_time())  # it failed before its start was counted
        found = outcome.defect(stage, error)
        record = StageRecord(stage, ended_at=unix_time(), exit=found.exit, reason=found.message)
        ledger.end(job.id, record, None)
        if (final := self._transitions.final_outcome(job, stage)) is not None:
            self._transitions.give_up(job, stage, final)

    def hindrance(self) -> str:
        """Why nothing is left that could go on; "" if that is not so."""
        if not self._faulty or not self._is_all_that_is_left():
            return ""
        return "the last step of some files meets a fault of their own; the log names them"
