"""`dropscribe run`: the daemon itself, in the foreground, as launchd wants it."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from daemon import __version__
from daemon.commands import tables
from daemon.commands.command_line import command
from daemon.commands.completion import JOB
from daemon.commands.find_job import find_job
from daemon.config import file as config_file
from daemon.config.default_model import about_small_memory
from daemon.config.settings import Config
from daemon.domain.job import Stage
from daemon.errors import FAILED, OK, DropscribeError, TemporaryError
from daemon.files.faults import explain
from daemon.ledger.ledger import Ledger
from daemon.models import hardware, registry
from daemon.models.hardware import Backend
from daemon.reporting.event_log import EventLog, open_logs
from daemon.supervisor.application import Application, Commands, stage_commands
from daemon.supervisor.listeners import Listeners
from daemon.supervisor.settings_watch import ConfigFileWatch

_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


@command(
    examples=[
        ("dropscribe run --once", "drain the inbox, then exit"),
        ("dropscribe run -j 12", "one job, and its summary"),
    ]
)
@click.option("--once", is_flag=True, help="Drain the inbox, then exit.")
@click.option("-v", "--verbose", is_flag=True, help="Show the log on stderr, too.")
@click.option(
    "-j", "--job", "which", type=JOB, metavar="JOB|NAME", help="Work on this job, then exit."
)
def run(config_path: Path, once: bool, verbose: bool, which: str | None) -> int:
    """Watch the inbox and transcribe what is dropped there, in the foreground."""
    config = config_file.load(config_path)
    backend = hardware.choose(config.transcribe.backend)
    by_hand = once or which is not None or sys.stderr.isatty()
    open_logs(config.paths.logs, echo=verbose or by_hand)
    commands = stage_commands(config, backend)
    with (
        _not_now(),
        Listeners.of(config) as listeners,
        Application.open(config, commands, listeners.event_log) as application,
    ):
        number = None
        if which is not None:
            job = find_job(application.context.ledger, config.paths, which)
            if job.next is Stage.DONE:
                raise DropscribeError(f"job {job.id} ({job.name}) is done already")
            number = job.id
        listeners.event_log.info(
            "started",
            f"dropscribe {__version__} started: {backend.name} on {backend.device}"
            f" ({backend.why}), model {config.transcribe.model}; inbox {config.paths.inbox}",
            backend=backend.name,
            device=backend.device,
            why=backend.why,
            model=config.transcribe.model,
        )
        _tell_of_model(config, backend, listeners.event_log)
        gc.freeze()  # what is there by now stays: no collection is to look at all of it again
        with application.stopped_by(_STOPPING):
            if number is None:
                application.context.commands = _commands
                settings = ConfigFileWatch(
                    config_path,
                    config_file.load,
                    application.context,
                    _commands,
                    listeners.use,
                )
                listeners.hurried = not application.watch(once, settings)
            else:
                application.drain(only=number)
        own = time.process_time()
        listeners.event_log.info(
            "stopped", f"stopped; the daemon itself used {own:.1f} s", cpu_seconds=own
        )
        if number is not None:
            return _report(application.context.ledger, config, number, backend.why)
    return OK


def _tell_of_model(config: Config, backend: Backend, event_log: EventLog) -> None:
    """Once, at the start: why it is this model, and if it is not here, what brings it."""
    given = config.transcribe
    if why := about_small_memory(given.model):
        event_log.info("small_memory", why, model=given.model)
    with contextlib.suppress(registry.ModelMissingError):  # the queue will pause, and say why
        weights = registry.find_or_stand_in(given.model, backend.name, os.environ, given.stand_in)
        if weights.stands_in_for:
            event_log.warning("stand_in", registry.about_stand_in(weights), model=given.model)


def _commands(config: Config) -> Commands:
    return stage_commands(config, hardware.choose(config.transcribe.backend))


@contextmanager
def _not_now() -> Iterator[None]:
    """The loop pauses for faults of the machine; before it runs, there is only another time."""
    try:
        yield
    except BrokenPipeError:  # no fault: the reader of our output has left
        raise
    except (OSError, sqlite3.OperationalError) as error:
        raise TemporaryError(explain(error)) from error


def _report(ledger: Ledger, config: Config, number: int, why: str) -> int:
    job = ledger.job(number)
    if job is not None and job.next is Stage.DONE:
        print(tables.summary(job.name, config.paths.outbox, job.stem or "", why))
        return OK
    return FAILED
