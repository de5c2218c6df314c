"""The two faces of the log: one clear line per event for people, one JSON object for programs.

No line holds what was said in a recording. events.jsonl's fields: README.md of this folder.
"""

from __future__ import annotations

import json
import logging
import os
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from loguru import logger

from daemon.domain.job import Job
from daemon.domain.names import printable

if TYPE_CHECKING:
    from loguru import Record

_ROTATION = "10 MB"
_KEPT = 7
# The time to the second, cut from its usual text: loguru takes far longer over a format of its own.
_LINE = "{time!s:.19} {level.name: <7} {message}"


_open = False  # whether this process keeps a log


def unexpected(error: Exception) -> None:
    """A defect of ours: its traceback goes to the log, or to stderr where no log is kept.

    No variables are shown: they may hold speech.
    """
    if _open:
        logger.opt(exception=error).critical("unexpected: {}", error)
    else:
        traceback.print_exception(error)


def open_logs(folder: Path, echo: bool) -> None:
    """Send the event log to `folder`, and to stderr as well if `echo`. Files are mode 0600.

    Where there can be no files, stderr has to do: the log must not stop the work.
    """
    global _open  # noqa: PLW0603 - loguru's sinks belong to the process, too
    _open = True
    logger.remove()
    logging.getLogger().addHandler(logging.NullHandler())  # libraries have no say here
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        _add_files(folder)
    except OSError as error:
        _add_stderr()
        logger.warning("there are no log files: {}", error)
    else:
        if echo:
            _add_stderr()


def _add_stderr() -> None:
    logger.add(sys.stderr, format=_LINE, level="INFO", backtrace=False, diagnose=False)


def _add_files(folder: Path) -> None:
    for name, line in (("daemon.log", _LINE), ("events.jsonl", _event_line)):
        logger.add(
            folder / name,
            format=line,
            level="INFO",
            rotation=_ROTATION,
            retention=_KEPT,
            filter=_is_event if line is _event_line else None,
            backtrace=False,
            diagnose=False,  # tracebacks must not show variables: they may hold speech
            opener=_private,
        )


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _is_event(record: Record) -> bool:
    return "event" in record["extra"]


def _event_line(record: Record) -> str:
    data = {
        "time": record["time"].isoformat(timespec="milliseconds"),
        "level": record["level"].name.lower(),
        **record["extra"],
        "message": record["message"],
    }
    record["extra"] = {"json": json.dumps(data)}
    return "{extra[json]}\n"


Listener = Callable[[str, str, str, Mapping[str, object]], None]


class EventLog:
    """What happened: one call, two log files.

    `listener` is called with every event as well: its name, its message, the file's name ("" if
    it is about no file), and its fields.
    """

    def __init__(self, listener: Listener = lambda event, message, name, facts: None) -> None:
        self._listener = listener

    def info(self, event: str, message: str, job: Job | None = None, **facts: object) -> None:
        """`event` is one of the documented names; `facts` are its fields (JSON values)."""
        self._write("INFO", event, message, job, facts)

    def warning(self, event: str, message: str, job: Job | None = None, **facts: object) -> None:
        """As `info`, for what a person should look at."""
        self._write("WARNING", event, message, job, facts)

    def unexpected(self, message: str) -> None:
        """A defect of ours: the traceback goes to the log."""
        logger.opt(exception=True).error("{}", message)

    def _write(
        self, level: str, event: str, message: str, job: Job | None, facts: Mapping[str, Any]
    ) -> None:
        about: dict[str, Any] = {"event": event}
        name = job.name if job is not None else ""
        if job is not None:
            about |= {"job": job.id, "name": name}
        about |= facts
        self._listener(event, message, name, about)
        if job is not None:
            message = f"#{job.id} {name}: {message}"
        logger.bind(**about).log(level, printable(message))  # no arguments: no braces are filled in
