"""The other machines, as the supervisor sees them: places that take whole jobs.

The cluster child (`daemon.cluster.child`) speaks to the machines. It is one process for any number
of jobs: each of them gets a `RemotePlace`, which an attempt treats like a stage process of its own.
"""

from __future__ import annotations

import json
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from daemon.config.profile import shared_settings
from daemon.config.settings import Config
from daemon.config.table import as_json
from daemon.domain.job import FailureKind
from daemon.files.faults import explain
from daemon.handoff import lent
from daemon.handoff.artefacts import InvalidArtefactError
from daemon.handoff.protocol import (
    AnyRequest,
    Hosts,
    HostState,
    Lend,
    Progress,
    Recall,
    Receipt,
    Usage,
)
from daemon.models import hardware
from daemon.processes import outcome
from daemon.processes.attempt import Attempt
from daemon.processes.outcome import Outcome
from daemon.processes.pipes import Pipes
from daemon.processes.pool import Command
from daemon.processes.process_tree import Vitals
from daemon.processes.worker import Worker, WorkerExited, WorkerMessage

SILENCE_SECONDS = 60.0  # of the cluster child, with jobs out, before it is started anew
_AGAIN_SECONDS = 10.0  # between two starts of it
_LOG = "cluster.log"


# What the cluster child finds here, of a recording that it is to send. Only a stage that ran on
# this machine may say that a recording is bad.
_OUR_OWN = (FailureKind.NOT_BEGUN, FailureKind.CHANGED, FailureKind.VANISHED)


def lent_outcome(attempt: Attempt, receipt: Receipt, folder: Path) -> Outcome:
    """How a lent job ended, by the receipt and by what lies in its folder now."""
    if receipt.kind is not None:
        if receipt.kind in _OUR_OWN:
            return outcome.failed(receipt.kind, receipt.message)
        return outcome.lost(attempt.host, receipt.message)
    try:
        lent.read_results(folder, attempt.nonce)
    except (InvalidArtefactError, ValueError) as error:
        return outcome.lost(attempt.host, f"reported success, but {error}")
    except OSError as error:
        return outcome.failed(FailureKind.ENVIRONMENT, explain(error))
    return outcome.succeeded()


class RemotePlace:
    """One job's worker, on whichever machine; see `StageProcess`."""

    def __init__(self, hosts: RemoteHosts, log: Path) -> None:
        self.flooding = False
        self.ready = True
        self.log = log
        self._hosts = hosts
        self._nonce = ""

    @property
    def pid(self) -> int:
        return self._hosts.pid

    def ask(self, request: AnyRequest) -> None:
        """Hand a `Lend` on."""
        assert isinstance(request, Lend)
        self._nonce = request.nonce
        self._hosts.send(request, self)

    def exit_code(self) -> int | None:
        """None: when the machine is lost, that is a receipt."""
        return None

    def vitals(self) -> Vitals | None:
        """Not known: its machine watches it."""
        return None

    def end(
        self, grace_seconds: float, is_hurried: Callable[[], bool] = lambda: False
    ) -> int | None:
        """The job is not wanted any more; nothing more is heard of it."""
        self._hosts.recall(self._nonce)
        return 0


def _command(config: Config) -> Command | None:
    """How the cluster child is started; None where there are no other machines."""
    if not (config.cluster.hosts or config.cluster.scheduler):
        return None
    module = ("-m", "daemon.cluster.child")
    state, settings = str(config.paths.state), json.dumps(shared_settings(config))
    cluster = json.dumps(as_json(config.cluster))
    given = ("--state", state, "--settings", settings, "--cluster", cluster)
    environment = hardware.stage_environment(os.environ)
    return Command([sys.executable, "-P", "-s", *module, *given], environment)


def _what(state: HostState) -> tuple[str, str]:
    return state.state, state.reason


class RemoteHosts:
    """The cluster child and its places. Called from the loop only.

    Without a command there are no other machines.
    """

    def __init__(
        self,
        folder: Path,
        post: Callable[[WorkerMessage | WorkerExited], None],
        pipes: Pipes,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._post = post
        self._pipes = pipes
        self._clock = clock
        self._command: Command | None = None
        self._child: Worker | None = None
        self._places: dict[str, RemotePlace] = {}  # by nonce: the jobs that are out
        self._states: tuple[HostState, ...] = ()
        self._told: dict[str, tuple[str, str]] = {}
        self._started = -math.inf
        self._heard = -math.inf

    @property
    def pid(self) -> int:
        return self._child.pid if self._child else 0

    def use(self, config: Config, now: float) -> None:
        """Speak to the machines of this configuration from now on."""
        command = _command(config)
        if command != self._command:
            self.end(0.0)
            self._command, self._started = command, -math.inf
            self.check(now)

    def states(self) -> tuple[HostState, ...]:
        """What is known of each machine."""
        return self._states

    def changes(self) -> list[HostState]:
        """Those that are in another state than at the last call."""
        told, self._told = self._told, {state.name: _what(state) for state in self._states}
        return [state for state in self._states if told.get(state.name) != _what(state)]

    def place(self) -> RemotePlace:
        return RemotePlace(self, self._folder / _LOG)

    def send(self, request: Lend, place: RemotePlace) -> None:
        """Have a job done; if there is no child (any more), its receipt says that it is to be
        repeated."""
        self._places[request.nonce] = place
        if self._child is None:
            self._give_back(self._child)
        else:
            self._child.ask(request)

    def recall(self, nonce: str) -> None:
        if self._places.pop(nonce, None) is not None and self._child is not None:
            self._child.ask(Recall(nonce))

    def check(self, now: float) -> None:
        """Have a child that works; one that is silent over its jobs, or ended, is replaced."""
        child = self._child
        is_silent = bool(self._places) and now - self._heard > SILENCE_SECONDS
        if child is not None and (child.exit_code() is not None or is_silent):
            self._stop(child, 0.0)
        if self._child is None and self._command and now - self._started >= _AGAIN_SECONDS:
            self._started = self._heard = now
            command = self._command
            self._child = Worker(
                command.arguments, command.environment, self._folder / _LOG, self._hear, self._pipes
            )

    def end(self, grace_seconds: float) -> None:
        if self._child is not None:
            self._stop(self._child, grace_seconds)

    def _stop(self, child: Worker, grace_seconds: float) -> None:
        self._child, self._states = None, ()
        child.end(grace_seconds)
        self._give_back(child)

    def _hear(self, event: WorkerMessage | WorkerExited) -> None:
        """What is about a job goes to the job's place."""
        self._heard = self._clock()
        match event:
            case WorkerExited(child):
                self._give_back(child)
                self._post(event)
            case WorkerMessage(child, Hosts(states)):
                if child is self._child:
                    known = {state.name: state for state in (*self._states, *states)}
                    self._states = tuple(known.values())
                self._post(event)  # there may be a place for a job
            case WorkerMessage(_, Progress(nonce) as message):
                if place := self._places.get(nonce):
                    self._post(WorkerMessage(place, message))
            case WorkerMessage(_, Receipt(nonce) as message):
                if place := self._places.pop(nonce, None):
                    self._post(WorkerMessage(place, message))
            case _:
                pass

    def _give_back(self, child: object) -> None:
        """The child is gone: every job that was out is to be repeated, and that costs nothing."""
        if self._child is not None and self._child is not child:
            return  # an earlier one; its jobs are back already
        for nonce in list(self._places):
            if place := self._places.pop(nonce, None):
                message = "the process that speaks to the other machines ended"
                receipt = Receipt(nonce, Usage(), FailureKind.NOT_BEGUN, message)
                self._post(WorkerMessage(place, receipt))
