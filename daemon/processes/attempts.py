"""The attempts under way: what their processes said, whether they keep their limits, their ends.

One PREPARE child a file, which may have waited for it; one resident TRANSCRIBE worker; one ALIGN
child a file, whose imports pass while the file is transcribed; one DIARIZE child a file, started
when it is prepared; PUBLISH children that are kept from file to file.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from daemon.domain.job import FailureKind, Job, Stage
from daemon.domain.names import printable
from daemon.files.faults import explain
from daemon.files.state_folder import job_file, job_folder
from daemon.handoff import artefacts, outputs
from daemon.handoff.protocol import Lend, MoreInput, Progress, Receipt, Request
from daemon.processes import outcome
from daemon.processes.attempt import Attempt, AttemptLimits, AttemptState
from daemon.processes.outcome import Outcome
from daemon.processes.pipes import Pipes
from daemon.processes.pool import Command, WorkerPool
from daemon.processes.process_tree import Vitals
from daemon.processes.remote import RemoteHosts, lent_outcome
from daemon.processes.worker import StageProcess, Worker, WorkerExited, WorkerMessage

# Bytes of a job's log; beyond, it starts over: a flood must not fill the disk.
_MAX_LOG = 16_000_000
_STOP_SECONDS = 1.0  # for children to end by themselves when the daemon ends
_LAST_WORDS = 8192  # bytes of a job's log

_READERS: Mapping[Stage, Callable[[Path, str], object]] = {
    Stage.PREPARE: artefacts.read_prepared,
    Stage.TRANSCRIBE: artefacts.read_recognition,
    Stage.ALIGN: artefacts.read_alignment,
    Stage.DIARIZE: artefacts.read_diarization,
    Stage.PUBLISH: outputs.read_outputs,
}

_OPTIONAL = (Stage.ALIGN, Stage.DIARIZE)

Ended = tuple[Attempt, Outcome]


class Attempts:
    """Every method is called from the supervisor's loop only."""

    def __init__(
        self,
        commands: Mapping[Stage, Command],
        folder: Path,
        post: Callable[[WorkerMessage | WorkerExited], None],
        pipes: Pipes,
        grace_seconds: float,
        tell: Callable[[str], None] = lambda line: None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._workers = WorkerPool(commands, folder, post, pipes)
        self.remote = RemoteHosts(folder, post, pipes)
        self._pipes = pipes
        self._folder = folder
        self._grace = grace_seconds
        self._tell = tell  # a line about the machine, for the log
        self._is_stopping = is_stopping  # whether no process is to be waited for any more
        self._running: dict[str, Attempt] = {}  # by nonce
        self._next_commands: Mapping[Stage, Command] | None = None

    def use(self, commands: Mapping[Stage, Command]) -> None:
        """Start stages so, as soon as no transcription is under way: the worker is resident."""
        self._next_commands = commands if commands != self._workers.commands else None
        self._change_commands()

    @property
    def awaits_change(self) -> bool:
        """Whether the resident worker has to end before anything else is transcribed."""
        return self._next_commands is not None

    def _change_commands(self) -> None:
        if self._next_commands is not None and not self.of(Stage.TRANSCRIBE):
            for worker in self._workers.use(self._next_commands):
                self._end(worker, None)
            self._next_commands = None

    @property
    def running(self) -> list[Attempt]:
        return list(self._running.values())

    def of(self, stage: Stage) -> list[Attempt]:
        """Those that run here."""
        running = self._running.values()
        return [attempt for attempt in running if attempt.stage is stage and not attempt.host]

    def lent(self) -> list[Attempt]:
        """Those that run on other machines."""
        return [attempt for attempt in self._running.values() if attempt.host]

    def prewarm(self, stages: Iterable[Stage], now: float) -> None:
        """Have processes of these stages ready before a file needs them."""
        for stage in stages:
            self._workers.prewarm(stage, now)

    def lend(self, job: Job, host: str, limits: AttemptLimits, now: float) -> Attempt:
        """Begin an attempt at PREPARE and what follows on another machine."""
        worker, nonce = self.remote.place(), secrets.token_hex(8)
        attempt = Attempt(job, Stage.PREPARE, nonce, worker, limits, now, now, host=host)
        self._running[nonce] = attempt
        worker.ask(Lend(job_folder(self._folder, job.id), nonce, host))
        return attempt

    def start(self, job: Job, stage: Stage, limits: AttemptLimits, now: float) -> Attempt:
        """Begin an attempt. Raises OSError if no process can be started."""
        folder = job_folder(self._folder, job.id)
        log = job_file(folder, artefacts.LOG)
        worker = self._workers.take(stage, log, now)
        attempt = Attempt(job, stage, secrets.token_hex(8), worker, limits, begun=now, heard=now)
        attempt.cpu_before = worker.cpu_seen
        if stage is Stage.TRANSCRIBE:
            with contextlib.suppress(OSError):  # not there yet
                attempt.log_from = log.stat().st_size
        self._running[attempt.nonce] = attempt
        worker.ask(Request(folder, attempt.nonce))
        return attempt

    def send_more_input(self, job: int, complete: bool, now: float) -> bool:
        """Tell the job's aligner that there are more segments; False if it has no aligner."""
        running = [attempt for attempt in self.of(Stage.ALIGN) if attempt.job.id == job]
        alone = complete and not self.of(Stage.TRANSCRIBE)
        for attempt in running:
            if complete:
                attempt.begin_work(now)
            attempt.worker.ask(MoreInput(attempt.nonce, complete, alone))
        return bool(running)

    def on_event(self, event: WorkerMessage | WorkerExited, now: float) -> list[Ended]:
        """Take in what a process said; return the attempts that this ended."""
        match event:
            case WorkerExited(worker):
                known = {*self._workers.ready(), *(attempt.worker for attempt in self.running)}
                return self._end(worker, None) if worker in known else []
            case WorkerMessage(_, Progress() as progress):
                if attempt := self._running.get(progress.nonce):
                    self._on_progress(attempt, progress, now)
            case WorkerMessage(_, Receipt() as receipt):
                if attempt := self._running.pop(receipt.nonce, None):
                    return [self._on_receipt(attempt, receipt, now)]
            case _:
                pass
        return []

    def _on_progress(self, attempt: Attempt, progress: Progress, now: float) -> None:
        attempt.on_progress(progress, now)
        for other in self._beside(attempt):
            other.heard = now  # the process is well; it may be their turn next
        if attempt.stage is Stage.TRANSCRIBE:
            self.send_more_input(attempt.job.id, complete=False, now=now)

    def _on_receipt(self, attempt: Attempt, receipt: Receipt, now: float) -> Ended:
        attempt.usage = receipt.usage
        self._workers.touch(now)
        ended = attempt, self._outcome_of(attempt, receipt)
        if not self._workers.keep(attempt.worker, attempt.stage, attempt.cost()):
            attempt.worker.end(self._grace, self._is_stopping)  # it was there for this file alone
        others = self._beside(attempt)
        if all(other.is_waiting for other in others):
            for other in others:  # it takes one of them up now
                other.begin_work(now)
        return ended

    def _beside(self, attempt: Attempt) -> list[Attempt]:
        """The other attempts of the same process."""
        same = (other for other in self.running if other.worker is attempt.worker)
        return [other for other in same if other is not attempt]

    def check(self, now: float) -> list[Ended]:
        """Look at every process; end those that broke a limit, and return their attempts."""
        self._change_commands()
        self._pipes.wait(0.0)  # while we were held up, they were not silent
        self.remote.check(now)
        ended: list[Ended] = []
        vitals: dict[StageProcess, Vitals | None] = {}  # one look a process: they are dear
        for attempt in self.running:
            _bound(job_folder(self._folder, attempt.job.id) / artefacts.LOG)
            if attempt.worker.exit_code() is None:
                if attempt.worker not in vitals:
                    vitals[attempt.worker] = attempt.worker.vitals()
                broken_limit = attempt.check(now, vitals[attempt.worker])
                ended.extend(self._end(attempt.worker, broken_limit) if broken_limit else ())
            elif (
                attempt.state is AttemptState.EXITED
            ):  # and no WorkerExited: somebody else holds its pipe open
                ended.extend(self._end(attempt.worker, None))
            else:
                attempt.state = AttemptState.EXITED
        return ended

    def reset_stall_clocks(self, now: float) -> None:
        """We could not listen until now: no attempt is to blame for its silence."""
        for attempt in self.running:
            attempt.heard = now

    def stop(self, job: int) -> list[Attempt]:
        """End a job's attempts without an outcome; return them: their starts do not count."""
        workers = {attempt.worker for attempt in self.running if attempt.job.id == job}
        return [attempt for worker in workers for attempt, _ in self._end(worker, None)]

    def stop_all(self) -> list[Attempt]:
        """End everything, at the same time and soon: the system does not wait for us for long."""
        self._grace = min(self._grace, _STOP_SECONDS)
        workers = {attempt.worker for attempt in self.running} | set(self._workers.ready())
        children = [worker for worker in workers if isinstance(worker, Worker)]
        with contextlib.suppress(RuntimeError), ThreadPoolExecutor(len(children) or 1) as threads:
            for child in children:  # RuntimeError: no room for a thread; one after the other, then
                threads.submit(child.end, self._grace)
        ended = [attempt for worker in workers for attempt, _ in self._end(worker, None)]
        self.remote.end(self._grace)
        return ended

    def stop_idle(self, now: float, idle_seconds: float) -> None:
        """End the processes that have been held ready without work for `idle_seconds`."""
        if (since := self.idle_since()) is not None and now - since >= idle_seconds:
            for worker in self._workers.ready():
                self._end(worker, None)

    def idle_since(self) -> float | None:
        """Since when processes have been held ready without work; None if that is not so."""
        return None if self._running else self._workers.idle_since()

    def _outcome_of(self, attempt: Attempt, receipt: Receipt) -> Outcome:
        if attempt.host:
            return lent_outcome(attempt, receipt, job_folder(self._folder, attempt.job.id))
        if receipt.kind is not None:
            return outcome.failed(receipt.kind, printable(receipt.message))
        if attempt.stage is Stage.ALIGN and attempt.state is AttemptState.WAITING:
            return outcome.invalid(attempt.stage, "its input was not complete")
        try:
            read, folder = _READERS[attempt.stage], job_folder(self._folder, attempt.job.id)
            attempt.result = read(folder, attempt.nonce)
        except artefacts.InvalidArtefactError as error:
            return outcome.invalid(attempt.stage, str(error))
        except OSError as error:
            return outcome.failed(FailureKind.ENVIRONMENT, explain(error))
        return outcome.succeeded()

    def _end(self, worker: StageProcess, stopped_for: Outcome | None) -> list[Ended]:
        """End a process; its attempts end with `stopped_for`, or with how it died."""
        code = worker.end(self._grace, self._is_stopping)
        self._workers.forget(worker)
        running = [attempt for attempt in self.running if attempt.worker is worker]
        for attempt in running:
            del self._running[attempt.nonce]
        if self._is_over_the_gpu(running, code):
            return [(attempt, outcome.to_be_repeated(attempt.stage)) for attempt in running]
        at_work = [attempt for attempt in running if not attempt.is_waiting]
        is_clear = len(at_work) <= 1  # which file the process died over
        return [
            (attempt, stopped_for or self._how_it_died(attempt, code))
            if len(running) == 1 or (is_clear and attempt in at_work)
            else (attempt, outcome.died_over_another(attempt.stage, suspected=attempt in at_work))
            for attempt in running
        ]

    def _is_over_the_gpu(self, running: Sequence[Attempt], code: int | None) -> bool:
        """Whether the GPU gave up under a batch that can be halved; it is, then."""
        if not any(attempt.stage is Stage.TRANSCRIBE for attempt in running):
            return False
        if not any(outcome.gpu_gave_up(code, self._last_words(attempt)) for attempt in running):
            return False
        halved = self._workers.halve_the_batch()
        if halved:
            self._tell("the system ended work on the GPU: again, with half as much at once")
        return halved

    def _last_words(self, attempt: Attempt) -> bytes:
        """The end of what its process wrote to the job's log since it began."""
        path = job_folder(self._folder, attempt.job.id) / artefacts.LOG
        with contextlib.suppress(OSError), path.open("rb") as log:
            size = log.seek(0, os.SEEK_END)
            log.seek(max(min(attempt.log_from, size), size - _LAST_WORDS))
            return log.read()
        return b""

    def _how_it_died(self, attempt: Attempt, code: int | None) -> Outcome:
        if attempt.worker.flooding:
            return outcome.flooded(attempt.stage)
        if attempt.worker.ready or attempt.stage in _OPTIONAL:  # the file goes on without them
            return outcome.died(attempt.stage, code)
        return outcome.unable_to_start(attempt.stage, code, attempt.worker.log)


def _bound(log: Path) -> None:
    try:
        if log.stat().st_size > _MAX_LOG:
            os.truncate(log, 0)
    except OSError:
        return  # not written yet, or on a disk that is in trouble: nothing to bound
