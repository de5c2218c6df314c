"""Starting a stage for a job: counted before it begins, and only while it may be tried."""

from __future__ import annotations

from daemon.config.profile import ProfileError
from daemon.domain.job import FailureKind, Job, Stage
from daemon.handoff import artefacts
from daemon.processes import outcome
from daemon.processes.attempt import AttemptLimits, AttemptState
from daemon.supervisor import lending
from daemon.supervisor.context import Context
from daemon.supervisor.job_folders import JobFolders
from daemon.supervisor.scarcity import frees_space, scarcity
from daemon.supervisor.transitions import Transitions


class Starts:
    """Every method is called from the supervisor's loop only."""

    def __init__(self, context: Context, transitions: Transitions) -> None:
        self._context = context
        self._transitions = transitions
        self._folders = JobFolders(context)

    def begin(self, job: Job, stage: Stage, now: float) -> bool:
        """Start an attempt, unless its attempts are used up; True if it runs now."""
        context = self._context
        if not self.may_be_tried(job, stage):
            return False
        if stage is not Stage.PUBLISH:  # which ends what has been begun, whatever is scarce
            if reason := scarcity(context, stage):
                if stage is not Stage.PREPARE or not frees_space(context):
                    context.pause.begin("machine", reason, now)
                return False
            context.pause.end("machine")
        limits = self._limits(job, stage)
        if limits is None or not self._folders.prepare(job, stage):
            self._transitions.abandon(job)  # somebody tidied the state folder, or damaged it
            context.ledger.move(job.id, Stage.PREPARE)
            return False
        context.ledger.begin(job.id, stage, context.unix_time())
        try:
            attempt = context.attempts.start(job, stage, limits, now)
        except OSError:
            context.ledger.uncount_start(job.id, stage)
            raise
        shares_worker = stage is Stage.TRANSCRIBE and len(context.attempts.of(stage)) > 1
        if stage is Stage.ALIGN or shares_worker:
            attempt.state = AttemptState.WAITING
        return True

    def lend(self, job: Job, host: str, now: float) -> None:
        """Start an attempt at everything up to PUBLISH on another machine."""
        context = self._context
        good = self.profiles_are_good(job, Stage.PREPARE)
        if good and self.may_be_tried(job, Stage.PREPARE):
            self._folders.prepare(job, Stage.PREPARE)
            lending.write_order(context, job)
            context.ledger.begin(job.id, Stage.PREPARE, context.unix_time())
            context.attempts.lend(job, host, lending.LIMITS, now)

    def may_be_tried(self, job: Job, stage: Stage) -> bool:
        """Whether the stage has attempts left; if not, the job is given up."""
        final = self._transitions.final_outcome(job, stage)
        if final is not None:
            self._transitions.give_up(job, stage, final)
        return final is None

    def profiles_are_good(self, job: Job, stage: Stage) -> bool:
        """Whether the recording's profiles can be followed; if not, the job is given up."""
        try:
            self._context.config_for(job)
        except ProfileError as error:
            final = outcome.failed(FailureKind.BAD_INPUT, str(error))
            self._transitions.give_up(job, stage, final)
            return False
        return True

    def _limits(self, job: Job, stage: Stage) -> AttemptLimits | None:
        """None: what PREPARE found cannot be read."""
        audio = 0.0
        if stage is not Stage.PREPARE:
            try:
                audio = artefacts.audio_seconds(self._context.folder(job.id))
            except artefacts.InvalidArtefactError:
                return None
        return AttemptLimits.of(self._context.config, stage, audio)
