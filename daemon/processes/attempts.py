"""The stage processes at work: which runs there are, what they said, and ending them.

One PREPARE child a file; one resident TRANSCRIBE worker; one ALIGN child a file, started when its
transcription starts so that its imports are over when the segments arrive.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from daemon.domain.job import FailureKind, Job, Stage
from daemon.files.faults import explain
from daemon.handoff import artefacts
from daemon.handoff.protocol import Doorbell, Progress, Receipt, Request
from daemon.processes import outcome
from daemon.processes.attempt import Run, RunLimits
from daemon.processes.outcome import Verdict
from daemon.processes.pool import Command, Workers
from daemon.processes.worker import Ended, Said, Worker

_MAX_LOG = (
    16_000_000  # bytes of a job's log; beyond, it starts over: a flood must not fill the disk
)

_READERS: Mapping[Stage, Callable[[Path, str], object]] = {
    Stage.PREPARE: artefacts.read_prepared,
    Stage.TRANSCRIBE: artefacts.read_recognition,
    Stage.ALIGN: artefacts.read_alignment,
}

Concluded = tuple[Run, Verdict]


class Lanes:
    """All runs. Every method is called from the supervisor's loop only."""

    def __init__(
        self,
        commands: Mapping[Stage, Command],
        folder: Path,
        post: Callable[[Said | Ended], None],
        grace_seconds: float,
    ) -> None:
        self._workers = Workers(commands, folder, post)
        self._folder = folder
        self._grace = grace_seconds
        self._runs: dict[str, Run] = {}  # by nonce

    @property
    def runs(self) -> list[Run]:
        return list(self._runs.values())

    def of(self, stage: Stage) -> list[Run]:
        return [run for run in self._runs.values() if run.stage is stage]

    def warm(self, stages: Iterable[Stage], now: float) -> None:
        """Have processes of these stages ready before a file needs them."""
        for stage in stages:
            self._workers.warm(stage, now)

    def start(self, job: Job, stage: Stage, limits: RunLimits, now: float) -> Run:
        """Begin an attempt. Raises OSError if no process can be started."""
        folder = self._folder / str(job.id)
        worker = self._workers.take(stage, folder / artefacts.LOG, now)
        vitals = worker.vitals()
        run = Run(job, stage, secrets.token_hex(8), worker, limits, begun=now, heard=now)
        run.cpu_before = vitals.cpu_seconds if vitals else 0.0
        self._runs[run.nonce] = run
        worker.ask(Request(folder, run.nonce))
        return run

    def ring(self, job: int, complete: bool, now: float) -> bool:
        """Tell the job's aligner that there are more segments; False if it has no aligner."""
        runs = [run for run in self.of(Stage.ALIGN) if run.job.id == job]
        alone = complete and not self.of(Stage.TRANSCRIBE)
        for run in runs:
            if complete:
                run.input_complete(now)
            run.worker.ask(Doorbell(run.nonce, complete, alone))
        return bool(runs)

    def hear(self, event: Said | Ended, now: float) -> list[Concluded]:
        """Take in what a process said; return the runs that this ended."""
        match event:
            case Ended(worker):
                return self._died(worker)
            case Said(_, Progress() as progress):
                if run := self._runs.get(progress.nonce):
                    run.hear(progress, now)
                    if run.stage is Stage.TRANSCRIBE:
                        self.ring(run.job.id, complete=False, now=now)
            case Said(_, Receipt() as receipt):
                if run := self._runs.pop(receipt.nonce, None):
                    run.usage = receipt.usage
                    self._workers.touch(now)
                    conclusion = run, self._judge(run, receipt)
                    self._release(run.worker)
                    for waiting in self.of(run.stage):  # for the worker: it is free for them now
                        if waiting.worker is run.worker:
                            waiting.input_complete(now)
                    return [conclusion]
            case _:
                pass
        return []

    def check(self, now: float) -> list[Concluded]:
        """Look at every process; end those that broke a limit, and return their runs."""
        concluded: list[Concluded] = []
        for run in self.runs:
            _bound(self._folder / str(run.job.id) / artefacts.LOG)
            if run.worker.exit_code() is None:
                found = run.check(now, run.worker.vitals())
                concluded.extend(self._end(run.worker, found) if found else ())
            elif run.dead:  # and still no Ended: somebody else holds its pipe open
                concluded.extend(self._end(run.worker, None))
            else:
                run.dead = True
        return concluded

    def excuse(self, now: float) -> None:
        """We could not listen until now: no run is to blame for its silence."""
        for run in self.runs:
            run.heard = now

    def stop(self, job: int) -> list[Run]:
        """End a job's runs without a verdict; return them, so that their starts are given back."""
        workers = {run.worker for run in self.runs if run.job.id == job}
        return [run for worker in workers for run, _ in self._end(worker, None)]

    def stop_all(self) -> list[Run]:
        workers = {run.worker for run in self.runs} | set(self._workers.ready())
        return [run for worker in workers for run, _ in self._end(worker, None)]

    def retire(self, now: float, idle_seconds: float) -> None:
        """End the processes that have been held ready without work for `idle_seconds`."""
        since = self.idle_since()
        if since is not None and now - since >= idle_seconds:
            for worker in self._workers.ready():
                self._end(worker, None)

    def idle_since(self) -> float | None:
        """Since when processes have been held ready without work; None if that is not so."""
        return None if self._runs else self._workers.idle_since()

    def _judge(self, run: Run, receipt: Receipt) -> Verdict:
        if receipt.kind is not None:
            return outcome.failed(receipt.kind, receipt.message)
        try:
            _READERS[run.stage](self._folder / str(run.job.id), run.nonce)
        except artefacts.InvalidArtefactError as error:
            return outcome.invalid(run.stage, str(error))
        except OSError as error:
            return outcome.failed(FailureKind.ENVIRONMENT, explain(error))
        return outcome.succeeded()

    def _release(self, worker: Worker) -> None:
        """A child that was there for one file has done its duty."""
        if not self._workers.is_resident(worker):
            worker.end(self._grace)

    def _died(self, worker: Worker) -> list[Concluded]:
        ours = worker in self._workers.ready() or any(run.worker is worker for run in self.runs)
        return self._end(worker, None) if ours else []

    def _end(self, worker: Worker, found: Verdict | None) -> list[Concluded]:
        """End a process; conclude its runs with `found`, or with how it died."""
        code = worker.end(self._grace)
        self._workers.forget(worker)
        runs = [run for run in self.runs if run.worker is worker]
        for run in runs:
            del self._runs[run.nonce]
        return [(run, found or self._how_it_died(run, code)) for run in runs]

    def _how_it_died(self, run: Run, code: int | None) -> Verdict:
        if run.worker.ready or run.stage is Stage.ALIGN:  # which has its own way to go on
            return outcome.died(run.stage, code)
        return outcome.unable_to_start(run.stage, code, run.worker.log)


def _bound(log: Path) -> None:
    try:
        if log.stat().st_size > _MAX_LOG:
            os.truncate(log, 0)
    except OSError:
        return  # not written yet, or on a disk that is in trouble: nothing to bound
