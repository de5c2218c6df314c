"""`dropscribe run`: the daemon itself, in the foreground, as launchd wants it."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from daemon import __version__
from daemon.commands.verb import Verb
from daemon.config import file as config_file
from daemon.config.settings import Config
from daemon.domain.job import Stage
from daemon.errors import FAILED, OK, DropscribeError, TemporaryError
from daemon.files.faults import explain
from daemon.ledger.ledger import Ledger
from daemon.models import hardware
from daemon.outbox.summary import table
from daemon.reporting.event_log import EventLog, open_logs
from daemon.reporting.notifier import Notifier, channels
from daemon.supervisor.application import opened, stage_commands

_LAST_WORDS = 2.0  # seconds for the notices that still wait when we stop
_STOPPING = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def _arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--once", action="store_true", help="drain the inbox, then exit")
    parser.add_argument("-v", "--verbose", action="store_true", help="show the log on stderr, too")
    parser.add_argument("-j", "--job", type=int, metavar="JOB", help="work on this job, then exit")


def _run(arguments: argparse.Namespace) -> int:
    config = config_file.load(arguments.config)
    backend = hardware.choose(config.transcribe.backend)
    by_hand = arguments.once or arguments.job is not None or sys.stderr.isatty()
    open_logs(config.paths.logs, echo=arguments.verbose or by_hand)
    notifier = Notifier(channels(config.notify), config.paths.outbox, _complain)
    event_log = EventLog(notifier.on_event)
    commands = stage_commands(config, backend)
    with _not_now(), _said(notifier), opened(config, commands, event_log) as application:
        if arguments.job is not None:
            _check_job(application.context.ledger, arguments.job)
        event_log.info(
            "started",
            f"dropscribe {__version__} started: {backend.name} on {backend.device}"
            f" ({backend.why}), model {config.transcribe.model}; inbox {config.paths.inbox}",
            backend=backend.name,
            device=backend.device,
            why=backend.why,
            model=config.transcribe.model,
        )
        with application.stopped_by(_STOPPING):
            application.watch(drain=arguments.once, only=arguments.job)
        own = time.process_time()
        event_log.info("stopped", f"stopped; the daemon itself used {own:.1f} s", cpu_seconds=own)
        if arguments.job is not None:
            return _report(application.context.ledger, config, arguments.job)
    return OK


@contextmanager
def _not_now() -> Iterator[None]:
    """The loop pauses for faults of the machine; before it runs, there is only another time."""
    try:
        yield
    except BrokenPipeError:  # no fault: the reader of our output has left
        raise
    except OSError as error:
        raise TemporaryError(explain(error)) from error


@contextmanager
def _said(notifier: Notifier) -> Iterator[None]:
    try:
        yield
    finally:
        notifier.close(_LAST_WORDS)


def _complain(line: str) -> None:
    EventLog().warning("notification_failed", line)


def _check_job(ledger: Ledger, number: int) -> None:
    job = ledger.job(number)
    if job is None:
        raise DropscribeError(f"there is no job {number}: `dropscribe status` lists them")
    if job.next is Stage.DONE:
        raise DropscribeError(f"job {number} ({job.name}) is done already")


def _report(ledger: Ledger, config: Config, number: int) -> int:
    job = ledger.job(number)
    if job is not None and job.next is Stage.DONE:
        print(table(job.name, config.paths.outbox, job.stem or ""))
        return OK
    return FAILED


VERB = Verb("run", "watch the inbox and transcribe what is dropped there", _arguments, _run)
