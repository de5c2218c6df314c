"""One recording that a Dask cluster has: sent to the worker that was heard of first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Container

from daemon.cluster import dask_lender
from daemon.cluster.dask_workers import DaskWorkers
from daemon.cluster.outgoing import LentJob, UnsentError
from daemon.domain.job import FailureKind
from daemon.domain.transcript import Json

_BEGIN_SECONDS = 60.0


class LostError(Exception):
    """A job cannot be had any more; the text says why."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class DaskJob:
    """A recording that Dask has. `worker`: where it was heard of first; "" while it waits."""

    def __init__(self, job: LentJob) -> None:
        self.job = job
        self.worker = ""
        self.name = ""
        self.submitted: float | None = None  # monotonic
        self.over: asyncio.Future[Json] = asyncio.get_running_loop().create_future()

    def waits_too_long(self) -> bool:
        """Whether Dask has had it for a while and no worker has begun."""
        if self.worker or self.submitted is None:
            return False
        return time.monotonic() - self.submitted > _BEGIN_SECONDS

    def lose(self, reason: str) -> None:
        kind = FailureKind.LOST if self.job.at_work is not None else FailureKind.NOT_BEGUN
        self.give_up(kind, reason)

    def give_up(self, kind: FailureKind, reason: str) -> None:
        if not self.over.done():
            self.over.set_exception(LostError(kind, reason))

    def receive(self, result: Json, host: str) -> None:
        """What came back, to disk, if it is of this recording. Raises OSError, ValueError."""
        for name, data in result["files"].items():
            self.job.receive(str(name), bytes(data))
        seconds = time.monotonic() - (self.job.at_work or time.monotonic())
        self.job.conclude(f"{host} {self.name}", result["report"], seconds)

    async def send(self, workers: DaskWorkers, at: int, wanted: Container[str]) -> bool:
        """The rest of the recording, a piece after the other, while it is among those `wanted`.

        Returns whether all of it is there. What goes wrong is the end of the job.
        """
        job = self.job
        pieces = job.pieces(at, lambda: job.nonce in wanted)
        try:
            while piece := await asyncio.to_thread(next, pieces, None):
                head, data = piece
                last = str(head.get("sha256", ""))
                await workers.call(self.worker, dask_lender.take, job.nonce, data, last)
                if last:
                    job.at_work = time.monotonic()
                    return True
        except UnsentError as error:
            self.give_up(error.kind, str(error))
        except Exception as error:  # whatever its Python raised, pickled
            self.lose(f"it did not take the recording ({type(error).__name__}: {error})")
        return False
