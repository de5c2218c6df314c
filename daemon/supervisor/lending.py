"""Jobs on other machines: which of them go where, and what is done with what comes back.

A job that is lent is one attempt at PREPARE; the other machine does everything up to PUBLISH. The
ledger stays here, and so it is the only one that decides: an answer counts if it bears the nonce of
the attempt that is under way. A job is lent once: if the machine was lost over it, or could not do
it, it is done here next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

from daemon.config.profile import for_another_machine
from daemon.domain.job import FailureKind, Job, Stage, StageRecord
from daemon.domain.transcript import Json
from daemon.domain.validation import to_json
from daemon.files.atomic import write_json
from daemon.handoff import artefacts, lent
from daemon.handoff.lent import LentReport
from daemon.handoff.protocol import HostState
from daemon.processes.attempt import Attempt, AttemptLimits
from daemon.processes.outcome import Outcome
from daemon.supervisor.context import Context

LIMITS = AttemptLimits(math.inf, math.inf, 0)  # the other machine and the cluster child have theirs

_LOOKED_AT = 100  # waiting files that the longest is chosen from
AT_HOME = 2  # files that this machine has in hand before others get any
_BYTES_A_SECOND = 16_000  # of a compressed recording: a guess at how long it is, to order files by
_SPEED = 10.0  # audio seconds a second, until a machine's speed is measured
_NETWORK = 20_000_000  # bytes a second, until it is measured


def lend_due(context: Context, waiting: Iterable[Job], begin: Callable[[Job, str], None]) -> None:
    """Lend the longest files that wait, while other machines have places.

    `begin` starts an attempt on the machine of that name.
    """
    states = context.attempts.remote.states()
    for state in context.attempts.remote.changes():
        log = context.event_log.info if state.places else context.event_log.warning
        message = f"{state.name}: {state.reason or 'lends itself'}"
        log("host", message, host=state.name, state=state.state, reason=state.reason)
    if not any(_free(context, state) for state in states):
        return
    jobs = list(islice(waiting, _LOOKED_AT))
    kept = max(0, AT_HOME - _in_hand(context))
    lendable = [job for job in jobs[kept:] if _may_be_lent(context, job)]
    for job in sorted(lendable, key=lambda job: job.identity.size, reverse=True):
        free = [state for state in states if _free(context, state)]
        if not free:
            return
        begin(job, min(free, key=lambda state: _seconds(context, state, job)).name)


def has_hosts(context: Context) -> bool:
    """Whether any other machine takes files now."""
    return any(state.places for state in context.attempts.remote.states())


def status_rows(context: Context) -> list[Json]:
    """Each other machine, and the jobs that it has."""
    return [
        to_json(state) | {"jobs": [attempt.job.id for attempt in _held(context, state.name)]}
        for state in context.attempts.remote.states()
    ]


def _in_hand(context: Context) -> int:
    """Files that are decoded here, or wait for the transcriber."""
    waiting = islice(context.ledger.waiting(Stage.TRANSCRIBE), AT_HOME)
    return len(context.attempts.of(Stage.PREPARE)) + len(list(waiting))


def _may_be_lent(context: Context, job: Job) -> bool:
    record = context.ledger.record(job.id, Stage.PREPARE)
    return record.kind is not FailureKind.LOST and not record.failures


def _held(context: Context, host: str) -> Sequence[Attempt]:
    return [attempt for attempt in context.attempts.lent() if attempt.host == host]


def _free(context: Context, state: HostState) -> bool:
    return len(_held(context, state.name)) < state.places


def _seconds(context: Context, state: HostState, job: Job) -> float:
    """When that machine would be done with the job, by what was measured of it."""
    speed = state.speed or _SPEED
    network = state.bytes_per_second or _NETWORK
    sizes = [attempt.job.identity.size for attempt in _held(context, state.name)]
    return job.identity.size / network + (sum(sizes) + job.identity.size) / _BYTES_A_SECOND / speed


def write_order(context: Context, job: Job) -> None:
    """How the job is to be worked on, into its folder. Raises OSError."""
    config = context.config_where_good(job)
    is_aligned = config.align.enabled
    lent.write_order(
        context.folder(job.id), for_another_machine(config), is_aligned, config.speakers.mode
    )


def interrupt(context: Context, attempt: Attempt, ended: Outcome) -> None:
    """The machine was lost, or could not do it: that is no failure of the file."""
    job = attempt.job
    context.ledger.interrupt(job.id, attempt.record(ended, context.unix_time()))
    lent.drop_lent(context.folder(job.id))
    message = f"{ended.message}; again on this machine"
    context.event_log.warning("lost", message, job, host=attempt.host)


def take_over(context: Context, attempt: Attempt) -> LentReport:
    """Put what came back where the stages here would have written it. Raises OSError."""
    job, folder = attempt.job, context.folder(attempt.job.id)
    results = lent.read_results(folder, attempt.nonce)
    context.ledger.set_digest(job.id, results.prepared.sha256)
    lent.take_over(folder, attempt.nonce)
    write_json(folder / artefacts.OPTIONS, artefacts.JobRequest.read(folder).options())
    message = f"was worked on by {attempt.host}"
    context.event_log.info("lent", message, job, host=attempt.host)
    return results.report


def enter_costs(context: Context, job: int, report: LentReport) -> None:
    """Enter what each stage after PREPARE cost, on this machine's clock."""
    ledger, ended = context.ledger, context.unix_time()
    for stage in reversed(report.stages):
        ledger.begin(job, stage.stage, ended - stage.seconds)
        record = StageRecord(
            stage=stage.stage,
            ended_at=ended,
            cpu_seconds=stage.cpu_seconds,
            peak_rss_bytes=stage.peak_rss_bytes,
            exit="ok",
        )
        ledger.end(job, record, None)
        ended -= stage.seconds
