"""The daemon's handle on one stage process: start it, speak to it, watch it, end it.

Only Popen reaps (psutil waiting for the same child would hide its exit status); psutil observes.
The child stays in our process group, so that launchd's clean-up reaches it too.
"""

from __future__ import annotations

import contextlib
import math
import os
import secrets
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from daemon.files.answering import KeptThreads
from daemon.handoff.protocol import (
    MAX_LINE,
    AnyRequest,
    Hosts,
    Lend,
    Message,
    Progress,
    Ready,
    Receipt,
    Request,
    parse_message,
    request_line,
)
from daemon.processes.process_tree import WORKER_VARIABLE, ProcessTree, Vitals

_MAX_NOISE = 1000  # lines that are not of the protocol before a child counts as flooding
# Lines of any kind: many at once, since what a stage said while we were stopped fills its pipe.
_MOST_LINES, _LINES_A_SECOND = 20_000, 500
_PROGRESS_SECONDS = 0.1  # progress that comes faster is dropped: it must not fill our queue
_HURRY_SECONDS = 0.2  # between two looks whether the grace is over
_KILL_SECONDS = 10.0  # how long a killed process may take to die (crash reports, stuck I/O)


class StageProcess(Protocol):
    """What an attempt is worked on by: a child of ours, or a place on another machine."""

    flooding: bool
    ready: bool
    log: Path

    @property
    def pid(self) -> int: ...

    def ask(self, request: AnyRequest) -> None: ...

    def exit_code(self) -> int | None: ...

    def vitals(self) -> Vitals | None: ...

    def end(
        self, grace_seconds: float, is_hurried: Callable[[], bool] = lambda: False
    ) -> int | None: ...


@dataclass(frozen=True, slots=True)
class WorkerMessage:
    """A stage process said something."""

    worker: StageProcess
    message: Message


@dataclass(frozen=True, slots=True)
class WorkerExited:
    """A stage process closed its stdout: it is dead, or about to be."""

    worker: StageProcess


class Worker:
    """One child process that speaks the stage protocol. Raises OSError if it cannot start."""

    def __init__(
        self,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        post: Callable[[WorkerMessage | WorkerExited], None],
        readers: KeptThreads | None = None,
    ) -> None:
        """`readers`: where its thread comes from; else it has one of its own."""
        self.flooding = False
        self._asked = 0  # requests that it may answer
        self.cpu_seen = 0.0  # seconds, at the last look: not all that it costs is the next file's
        self.ready = False  # its imports are over
        self._post = post
        self.log = log
        self._name = secrets.token_hex(8)
        with log.open("ab") as stderr:
            self._process = subprocess.Popen(
                command,
                bufsize=0,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**environment, WORKER_VARIABLE: self._name},
                cwd=log.parent,
            )
        os.set_blocking(_pipe(self._process.stdin).fileno(), False)
        self._tree = ProcessTree(self._process.pid)
        self._heard_all = threading.Event()
        try:
            (readers or KeptThreads()).run(self._read)
        except OSError:
            self._process.kill()
            self._process.wait()
            raise

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(self, request: AnyRequest) -> None:
        """Send one line, without ever waiting for the child to read it.

        A dead child's broken pipe is no error here: its end is an event. A full pipe means that it
        has not read for minutes: the stall limit deals with that.
        """
        self._asked += isinstance(request, Request | Lend)
        with contextlib.suppress(BrokenPipeError, BlockingIOError, ValueError):
            _pipe(self._process.stdin).write(request_line(request))

    def exit_code(self) -> int | None:
        """None while it lives; negative: the signal that ended it."""
        return self._process.poll()

    def vitals(self) -> Vitals | None:
        """Memory and CPU of the whole tree; None if it cannot be known at this moment."""
        if (found := self._tree.vitals()) is not None:
            self.cpu_seen = found.cpu_seconds
        return found

    def end(
        self, grace_seconds: float, is_hurried: Callable[[], bool] = lambda: False
    ) -> int | None:
        """Close its stdin and TERM it, wait, KILL it, the whole tree each time.

        From the moment at which `is_hurried` says so, there is no grace.
        Returns its exit code; None if not even SIGKILL ended it in time (stuck in the kernel).
        """
        with contextlib.suppress(OSError):
            _pipe(self._process.stdin).close()
        if self._process.poll():  # it died, and is nobody's parent any more
            self._tree.look_for_orphans(self._name)
        self._signal(signal.SIGTERM)
        deadline = time.monotonic() + grace_seconds
        while not self._wait(min(_HURRY_SECONDS, deadline - time.monotonic())):
            if is_hurried() or time.monotonic() >= deadline:
                break
        self._signal(signal.SIGKILL)  # what ignored TERM, and what outlived its parent
        self._wait(_KILL_SECONDS)
        self._heard_all.wait(timeout=1)  # not for ever: a grandchild may hold the pipe open
        return self._process.poll()

    def _signal(self, number: int) -> None:
        """To the whole tree. What is reaped has no children, and gets no signal from Popen."""
        if self._process.poll() is None:
            self._tree.look_below()
        self._process.send_signal(number)
        self._tree.signal_below(number)

    def _wait(self, seconds: float) -> bool:
        """Whether it has ended within these."""
        try:
            self._process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            return False
        return True

    def _read(self) -> None:
        """Runs in a thread: messages become events, as many as a well-behaved stage sends.

        What is no message, and what nobody asked for, is noise: counted, never kept. A process that
        floods us is not read any further, so that it can fill neither our queue nor our time.
        """
        noise, allowance = 0, _Allowance()
        progress_at = -math.inf
        receipts = 0
        for line in _lines(_pipe(self._process.stdout)):
            if not allowance.covers_a_line():
                self.flooding = True
                break
            match parse_message(line):
                case Ready() as message if not self.ready:
                    self.ready = True
                    self._post(WorkerMessage(self, message))
                case Hosts() as message:
                    self._post(WorkerMessage(self, message))
                case Progress() as message:
                    if time.monotonic() - progress_at >= _PROGRESS_SECONDS:
                        progress_at = time.monotonic()
                        self._post(WorkerMessage(self, message))
                case Receipt() as message if receipts < self._asked:
                    receipts += 1
                    self._post(WorkerMessage(self, message))
                case _:
                    noise += 1
                    if noise > _MAX_NOISE:
                        self.flooding = True
                        break
        self._post(WorkerExited(self))
        self._heard_all.set()


class _Allowance:
    """How many lines a process may still say: a token bucket, which fills up again with time."""

    def __init__(self) -> None:
        self._left = float(_MOST_LINES)
        self._at = time.monotonic()

    def covers_a_line(self) -> bool:
        now = time.monotonic()
        self._left = min(_MOST_LINES, self._left + (now - self._at) * _LINES_A_SECOND) - 1
        self._at = now
        return self._left >= 0


def _lines(stream: IO[bytes]) -> Iterable[bytes]:
    """The stream's lines; one longer than MAX_LINE comes in pieces, which no parser accepts.

    At its end, which is late if a grandchild holds the pipe open, the stream is closed.
    """
    with stream, open(stream.fileno(), "rb", closefd=False) as buffered:
        while line := buffered.readline(MAX_LINE):
            yield line


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # both are pipes, by construction
    return stream
