"""Jobs on other machines: which of them go where, and what is done with what comes back.

A job that is lent is one attempt at PREPARE; the other machine does everything up to PUBLISH. The
ledger stays here, and so it is the only one that decides: an answer counts if it bears the nonce of
the attempt that is under way. A job is lent once: if the machine was lost over it, or could not do
it, it is done here next.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from itertools import islice

from daemon.config.profile import for_another_machine
from daemon.domain.job import FailureKind, Job, Stage, StageRecord
from daemon.domain.transcript import Json
from daemon.domain.validation import to_json
from daemon.handoff import artefacts, lent
from daemon.handoff.lent import LentReport
from daemon.models import aligners
from daemon.processes.attempt import Attempt, AttemptLimits
from daemon.processes.outcome import Outcome
from daemon.supervisor import placement
from daemon.supervisor.context import Context
from daemon.supervisor.placement import Needs

LIMITS = AttemptLimits(math.inf, math.inf, 0)  # the other machine and the cluster child have theirs

_LOOKED_AT = 100  # waiting files that the longest is chosen from
AT_HOME = 2  # files that this machine has in hand before others get any


def lend_due(context: Context, waiting: Iterable[Job], begin: Callable[[Job, str], None]) -> None:
    """Lend the longest files that wait, while other machines have places.

    `begin` starts an attempt on the machine of that name.
    """
    states = context.attempts.remote.states()
    for state in context.attempts.remote.changes():
        log = context.event_log.info if state.places else context.event_log.warning
        message = f"{state.name}: {state.reason or 'lends itself'}"
        log("host", message, host=state.name, state=state.state, reason=state.reason)
    held: dict[str, list[int]] = {state.name: [] for state in states}
    for attempt in context.attempts.lent():
        held.setdefault(attempt.host, []).append(attempt.job.identity.size)
    free = sum(max(0, state.places - len(held[state.name])) for state in states)
    if not free:
        return
    home = _aligned_here(context)
    jobs = list(islice(waiting, max(_LOOKED_AT, 2 * free)))
    kept = max(0, AT_HOME - _in_hand(context))
    lendable = [job for job in jobs[kept:] if _may_be_lent(context, job)]
    for job in sorted(lendable, key=lambda job: job.identity.size, reverse=True):
        if not free:
            return
        if host := placement.best(states, held, _needs(context, job), home):
            begin(job, host)
            held[host].append(job.identity.size)
            free -= 1


def has_hosts(context: Context) -> bool:
    """Whether any other machine takes files now."""
    return any(state.places for state in context.attempts.remote.states())


def status_rows(context: Context) -> list[Json]:
    """Each other machine, and the jobs that it has."""
    lent = context.attempts.lent()
    return [
        to_json(state)
        | {"jobs": [attempt.job.id for attempt in lent if attempt.host == state.name]}
        for state in context.attempts.remote.states()
    ]


def _in_hand(context: Context) -> int:
    """Files that are decoded here, or wait for the transcriber."""
    waiting = islice(context.ledger.waiting(Stage.TRANSCRIBE), AT_HOME)
    return len(context.attempts.of(Stage.PREPARE)) + len(list(waiting))


def _may_be_lent(context: Context, job: Job) -> bool:
    """Not what a machine was lost over; nor what is transcribed, and only decoded to be aligned."""
    record = context.ledger.record(job.id, Stage.PREPARE)
    if record.kind is FailureKind.LOST or record.failures:
        return False
    return not (context.folder(job.id) / artefacts.TRANSCRIPT).exists()


def _needs(context: Context, job: Job) -> Needs:
    config = context.config_where_good(job)
    transcribe = config.transcribe
    return Needs(job.identity.size, transcribe.model, transcribe.language, config.align.enabled)


def _aligned_here(context: Context) -> frozenset[str]:
    """The languages whose aligners are on this machine."""
    return aligners.languages_here(context.config.align.model, os.environ)


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


def take_over(context: Context, attempt: Attempt) -> LentReport | None:
    """Put what came back where the stages here would have written it. Raises OSError.

    None: there was no aligner for its language, and here is one. It is to be decoded and aligned.
    """
    job, folder = attempt.job, context.folder(attempt.job.id)
    results = lent.read_results(folder, attempt.nonce)
    context.ledger.set_digest(job.id, results.prepared.sha256)
    language = results.recognition.language
    is_better_here = results.lacked_aligner and language in _aligned_here(context)
    lent.take_over(folder, attempt.nonce, results, without_words=is_better_here)
    artefacts.JobRequest.read(folder).write_options(folder)
    message = f"was worked on by {results.report.host}"
    if is_better_here:
        message += "; it had no aligner for it: aligned here"
    context.event_log.info("lent", message, job, host=attempt.host)
    return None if is_better_here else results.report


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
