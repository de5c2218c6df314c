"""A Dask cluster, as the cluster child sees it: one host with as many places as its workers have.

Dask decides which worker a recording goes to, among those that have our version and lend
themselves, and carries the bytes. It decides nothing else: a task's result counts while its nonce
is waited for here, on the worker that was heard of first; a task that Dask starts again elsewhere
is sent nothing. A worker that has not answered for SILENCE_SECONDS is lost, whatever Dask still
thinks of it (its worker-ttl is 300 s by default).

Everything runs in one event loop in a thread of its own, but `lend` and `recall`.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import replace
from pathlib import Path

from distributed import Client, Future

from daemon.cluster import dask_lender, wire
from daemon.cluster.dask_connection import DaskAddress
from daemon.cluster.dask_job import DaskJob, LostError
from daemon.cluster.dask_workers import DaskWorkers
from daemon.cluster.outgoing import LentJob
from daemon.cluster.speed import Speed
from daemon.domain.job import FailureKind
from daemon.domain.transcript import Json
from daemon.handoff.protocol import HostState, Message, Progress, Receipt, Usage

_CONNECT_SECONDS = 10.0
_WAIT = 5.0  # seconds before the next try to connect
_LOOK_SECONDS = 2.0
_GONE = "its worker is gone"


class DaskHosts:
    """The cluster behind one scheduler, from `start` to `stop`.

    `tell` takes messages for the daemon; it and `changed` are called from a thread of ours.
    """

    def __init__(
        self,
        address: DaskAddress,
        settings: Json,
        tell: Callable[[Message], None],
        changed: Callable[[], None],
    ) -> None:
        self.state = HostState(address.scheduler, "connecting", "it has not answered yet")
        self._address = address
        self._settings = settings
        self._tell = tell
        self._changed = changed
        self._loop = asyncio.new_event_loop()
        self._jobs: dict[str, DaskJob] = {}  # by nonce
        self._client: Client | None = None
        self._workers: DaskWorkers | None = None
        self._topic = f"dropscribe-{secrets.token_hex(8)}"
        self._speed = Speed()
        self._tasks: set[asyncio.Task[None]] = set()  # a task that nobody refers to may vanish

    def start(self) -> None:
        target = self._loop.run_until_complete
        threading.Thread(target=target, args=(self._run(),), daemon=True).start()

    def stop(self) -> None:
        """Nothing: the process ends, and Dask gives up what a client that is gone wanted."""

    def has_jobs(self) -> bool:
        return bool(self._jobs)

    def lend(self, folder: Path, nonce: str) -> None:
        self._loop.call_soon_threadsafe(self._spawn_job, folder, nonce)

    def recall(self, nonce: str) -> None:
        self._loop.call_soon_threadsafe(self._recall, nonce)

    # The connection

    async def _run(self) -> None:
        while True:
            try:
                reason = await self._converse()
            except (OSError, TimeoutError, ValueError) as error:
                reason = f"the scheduler does not answer ({error or type(error).__name__})"
            self._become("connecting", reason[:1000])
            for dask_job in list(self._jobs.values()):  # not a recording's fault: no interruption
                dask_job.give_up(FailureKind.NOT_BEGUN, reason)
            await asyncio.sleep(_WAIT)

    async def _converse(self) -> str:
        """One connection, to its end; why it ended."""
        client = Client(
            self._address.scheduler,
            asynchronous=True,
            security=self._address.security(),
            timeout=_CONNECT_SECONDS,
            set_as_default=False,
            name="dropscribe",
        )
        try:
            await client
            self._client, self._workers = client, DaskWorkers(client, self._settings)
            client.subscribe_topic(self._topic, self._on_begun)
            client.subscribe_topic("all", self._on_cluster)
            beat = time.monotonic()
            while client.status == "running":
                await self._workers.look()
                self._report(self._workers)
                if time.monotonic() - beat >= wire.BEAT_SECONDS / 2:
                    beat = time.monotonic()
                    self._beat(self._workers)
                await asyncio.sleep(_LOOK_SECONDS)
            return "the scheduler is gone"
        finally:
            self._client = None
            with contextlib.suppress(Exception):
                await asyncio.wait_for(client.close(1), 5)

    def _on_cluster(self, event: tuple[float, Json]) -> None:
        """What the scheduler says of workers that come and go."""
        said = event[1]
        if said.get("action") == "remove-worker" and self._workers is not None:
            self._workers.forget(said.get("worker", ""))
            self._lose_jobs_of(str(said.get("worker")), _GONE)

    def _lose_jobs_of(self, worker: str, reason: str) -> None:
        for dask_job in list(self._jobs.values()):
            if dask_job.worker == worker:
                dask_job.lose(reason)

    def _beat(self, workers: DaskWorkers) -> None:
        busy: dict[str, list[str]] = {}
        for nonce, dask_job in self._jobs.items():
            if dask_job.waits_too_long():  # its worker is frozen, or others keep it busy
                dask_job.give_up(FailureKind.NOT_BEGUN, "no worker has begun it")
            elif dask_job.worker:
                busy.setdefault(dask_job.worker, []).append(nonce)
        for worker, nonces in busy.items():
            if workers.is_silent(worker):
                reason = f"it has not been heard of for {wire.SILENCE_SECONDS:.0f} s"
                workers.set_aside(worker, reason)
                self._lose_jobs_of(worker, reason)
            else:
                self._spawn(self._beat_worker(workers, worker, nonces))

    async def _beat_worker(self, workers: DaskWorkers, worker: str, nonces: list[str]) -> None:
        with contextlib.suppress(Exception):  # silence is what counts
            said = await workers.call(worker, dask_lender.beat, nonces)
            for nonce, (done, total) in said.items():
                if nonce in self._jobs and total:
                    self._tell(Progress(nonce, float(done), float(total)))

    # A job

    def _spawn(self, work: Coroutine[None, None, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _spawn_job(self, folder: Path, nonce: str) -> None:
        self._spawn(self._do(folder, nonce))

    async def _do(self, folder: Path, nonce: str) -> None:
        """A job, from its offer to its receipt."""
        try:
            job = await asyncio.to_thread(LentJob.read, folder, nonce)
            dask_job = self._jobs[nonce] = DaskJob(job)
            await asyncio.to_thread(job.pack, lambda: nonce in self._jobs)
            offer = await asyncio.to_thread(job.offer)
        except (OSError, ValueError, KeyError) as error:
            self._jobs.pop(nonce, None)
            self._answer(nonce, FailureKind.LOST, f"the job's folder is not whole ({error})")
            return
        client, workers = self._client, self._workers
        if client is None or workers is None or not workers.usable:
            self._jobs.pop(nonce, None)
            self._answer(nonce, FailureKind.NOT_BEGUN, "no worker takes it any more")
            return
        future = client.submit(
            dask_lender.work,
            *(nonce, self._topic, offer, self._settings),
            key=f"dropscribe-{nonce}",
            pure=False,
            retries=0,
            resources={dask_lender.RESOURCE: 1},
            workers=workers.usable,
            allow_other_workers=False,
            priority=job.request.identity.size // 1_000_000,  # the longest first
        )
        dask_job.submitted = time.monotonic()
        try:
            await self._finish(dask_job, future)
            return
        except LostError as error:
            self._answer(nonce, error.kind, str(error)[:1000])
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._answer(nonce, FailureKind.LOST, str(error)[:1000])
        finally:
            self._jobs.pop(nonce, None)
            future.release()
        await self._forget(dask_job.worker, nonce)

    async def _finish(self, dask_job: DaskJob, future: Future) -> None:
        """Raises LostError, and what a result that is none raises."""
        job = dask_job.job
        result = await self._result(dask_job, future)
        if "files" not in result:
            if self._workers is not None and result["kind"] == FailureKind.NOT_BEGUN:
                self._workers.set_aside(str(result["worker"]), str(result["message"]))
            raise LostError(FailureKind(result["kind"]), str(result["message"]))
        began = job.at_work or time.monotonic()
        await asyncio.to_thread(dask_job.receive, result, self.state.name)
        self._speed.on_result(float(result["report"]["audio_seconds"]), began)
        if job.nonce in self._jobs:
            self._tell(Receipt(job.nonce, Usage()))

    async def _result(self, dask_job: DaskJob, future: Future) -> Json:
        answer = asyncio.ensure_future(future.result())
        await asyncio.wait({answer, dask_job.over}, return_when=asyncio.FIRST_COMPLETED)
        if dask_job.over.done():
            answer.cancel()
            await future.cancel(force=True)
            return dask_job.over.result()
        try:
            found: Json = answer.result()
        except asyncio.CancelledError:
            raise LostError(FailureKind.NOT_BEGUN, "the scheduler has forgotten it") from None
        except Exception as error:
            reason = f"{type(error).__name__}: {error}"
            raise LostError(FailureKind.LOST, reason) from error
        return found

    def _on_begun(self, event: tuple[float, Json]) -> None:
        """A task runs. That of a job which is at work or over is a second one: it gets nothing."""
        said = event[1]
        nonce, worker = str(said.get("begun")), str(said.get("worker"))
        dask_job = self._jobs.get(nonce)
        if dask_job is None or dask_job.worker:
            if dask_job is not None:
                dask_job.lose(f"{_GONE}: Dask began it anew")
            self._spawn(self._forget(worker, nonce))  # it would hold a place for SILENCE_SECONDS
            return
        dask_job.worker, dask_job.name = worker, str(said["name"])[:60]
        self._spawn(self._send(dask_job, int(said["have"])))

    async def _send(self, dask_job: DaskJob, at: int) -> None:
        """The rest of a recording; how fast it goes is measured."""
        began, workers = time.monotonic(), self._workers
        if workers is not None and await dask_job.send(workers, at, self._jobs):
            self._speed.on_sent(dask_job.job.size - at, began)

    def _recall(self, nonce: str) -> None:
        if (dask_job := self._jobs.pop(nonce, None)) is not None:
            dask_job.give_up(FailureKind.NOT_BEGUN, "it is not wanted any more")

    async def _forget(self, worker: str, nonce: str) -> None:
        """Have that worker, if any, wait for the recording no longer, and work on it no more."""
        if worker and self._workers is not None:
            with contextlib.suppress(Exception):  # it gives up by itself soon
                await self._workers.call(worker, dask_lender.forget, nonce)

    # What the daemon is told

    def _report(self, workers: DaskWorkers) -> None:
        jobs = Counter(dask_job.worker for dask_job in self._jobs.values())
        self.state = workers.with_stock(self.state)
        places = workers.places()
        self._become(
            "ready" if places else "away",
            "" if places else workers.why_none(),
            places,
            workers.shown(jobs),
        )

    def _become(
        self, state: str, reason: str, places: int = 0, workers: tuple[str, ...] = ()
    ) -> None:
        new = replace(
            self.state,
            state=state,  # type: ignore[arg-type]
            reason=reason,
            places=places,
            workers=workers,
            speed=self._speed.audio,
            bytes_per_second=self._speed.network,
        )
        if new != self.state:
            self.state = new
            self._changed()

    def _answer(self, nonce: str, kind: FailureKind, message: str) -> None:
        self._tell(Receipt(nonce, Usage(), kind, message))
