"""What is done here for an owner goes back to it, in place of the last steps of a recording."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from pathlib import Path

from daemon.cluster import wire
from daemon.cluster.incoming import remove
from daemon.cluster.link import Frame, Link
from daemon.domain.job import FailureKind, Job, Stage
from daemon.domain.transcript import Json
from daemon.handoff import artefacts, lent
from daemon.supervisor.context import Context
from daemon.supervisor.held_jobs import HeldJobs
from daemon.supervisor.last_steps import LastSteps

_PROGRESS_SECONDS = 1.0
_STAGES = (Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE)


class Handover(LastSteps):
    """Every method is called from the loop."""

    def __init__(self, context: Context, link: Link) -> None:
        super().__init__(context, HeldJobs(inbox_is_watched=False))
        self._link = link
        self._nonces: dict[int, str] = {}  # by job
        self._told = 0.0

    def expect(self, job: Job, nonce: str) -> None:
        self._nonces[job.id] = nonce

    def forget(self, nonce: str) -> None:
        """It is not wanted any more."""
        for number, other in list(self._nonces.items()):
            job = self._context.ledger.job(number)
            if other == nonce and job is not None:
                self._context.attempts.stop(number)
                if job.next is not Stage.QUARANTINE:
                    self._context.ledger.move(number, Stage.QUARANTINE)
                self._leave(job, Stage.FAILED)

    def report_progress(self) -> None:
        """How far each is, once a second."""
        if (now := time.monotonic()) - self._told < _PROGRESS_SECONDS:
            return
        self._told = now
        for attempt in self._context.attempts.running:
            if (nonce := self._nonces.get(attempt.job.id)) and attempt.stage is Stage.TRANSCRIBE:
                self._link.send({"progress": nonce, "done": attempt.done, "total": attempt.total})

    def wait_for_file(self, job: Job) -> bool:
        """It is ready for PUBLISH, which is the owner's; nothing of it is kept here."""
        nonce = self._nonces.get(job.id)
        frames = list(_results(self._context, job, nonce)) if nonce else []
        self._leave(job, Stage.DONE)
        self._link.stream(iter(frames))
        return True

    def quarantine(self, job: Job) -> None:
        """It cannot be done here; whether it can be at all is for the owner to find out."""
        nonce = self._nonces.get(job.id)
        self._leave(job, Stage.FAILED)
        if nonce:
            message = job.failure.message if job.failure else "it was given up"
            answer = {"result": nonce, "kind": FailureKind.LOST, "message": message}
            self._link.send(answer)

    def _leave(self, job: Job, following: Stage) -> None:
        context = self._context
        self._nonces.pop(job.id, None)
        context.ledger.finish(job.id, following, context.unix_time(), True)
        context.ledger.forget([job.id])
        remove(context.folder(job.id) / artefacts.REQUEST)
        remove(job.source)


def _results(context: Context, job: Job, nonce: str) -> Iterator[Frame]:
    """The artefacts under the owner's nonce, then the report."""
    folder = context.folder(job.id)
    for name in lent.ARTEFACTS:
        with contextlib.suppress(FileNotFoundError):
            data = _with_nonce(folder / name, nonce)
            for at in range(0, len(data), wire.BLOCK):
                yield {"file": nonce, "name": name}, data[at : at + wire.BLOCK]
    audio = artefacts.read_prepared(folder).audio_seconds
    report: Json = {"stages": list(_costs(context, job)), "audio_seconds": audio}
    yield {"result": nonce, "report": report}, b""


def _with_nonce(path: Path, nonce: str) -> bytes:
    raw = path.read_bytes()
    if path.suffix != ".json":
        return raw
    return json.dumps(json.loads(raw) | {"nonce": nonce}).encode()


def _costs(context: Context, job: Job) -> Iterator[Json]:
    for stage in _STAGES:
        record = context.ledger.record(job.id, stage)
        if record.exit:
            began, ended = record.started_at or 0.0, record.ended_at or 0.0
            yield {
                "stage": stage,
                "seconds": max(0.0, ended - began),
                "cpu_seconds": record.cpu_seconds,
                "peak_rss_bytes": record.peak_rss_bytes,
            }
