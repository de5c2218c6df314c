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
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

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
from daemon.processes.pipes import Pipes
from daemon.processes.process_tree import WORKER_VARIABLE, ProcessTree, Vitals

_MAX_NOISE = 1000  # lines that are not of the protocol before a child counts as flooding
# Lines of any kind: many at once, since what a stage said while we were stopped fills its pipe.
_MOST_LINES, _LINES_A_SECOND = 20_000, 500
_PROGRESS_SECONDS = 0.1  # progress that comes faster is dropped: it must not fill our queue
_AT_ONCE = 65_536  # bytes of what it says: as many as a pipe holds
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
        pipes: Pipes,
    ) -> None:
        """`post` is called by whoever waits at `pipes`."""
        self.flooding = False
        self._asked = 0  # requests that it may answer
        self.cpu_seen = 0.0  # seconds, at the last look: not all that it costs is the next file's
        self.ready = False  # its imports are over
        self._begun = b""  # a line that it has not ended yet
        self._receipts = 0
        self._noise = 0  # lines that are no messages, or that nobody asked for
        self._allowance = _Allowance()
        self._progress_at = -math.inf
        self._post = post
        self._pipes = pipes
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
        self._said = _pipe(self._process.stdout)
        for pipe in (_pipe(self._process.stdin), self._said):
            os.set_blocking(pipe.fileno(), False)
        self._tree = ProcessTree(self._process.pid)
        try:
            pipes.watch(self._said.fileno(), self._read)
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
        while self._read():
            pass
        self._hear_no_more()  # what it started may hold the pipe open
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

    def _read(self) -> bool:
        """Messages become events, as many as a well-behaved stage sends; False: there is no more.

        What is no message, and what nobody asked for, is noise: counted, never kept. A process that
        floods us is not read any further, so that it can fill neither our queue nor our time.
        """
        if self._said.closed:
            return False
        data = self._said.read(_AT_ONCE)
        if data is None:  # nothing at the moment
            return False
        *lines, self._begun = (self._begun + data).split(b"\n")
        if len(self._begun) > MAX_LINE:
            lines.append(self._begun)
            self._begun = b""
        for line in lines:
            self._take_in(line)
            if self.flooding:
                break
        if self.flooding or not data:
            self._hear_no_more()
        return not self._said.closed

    def _take_in(self, line: bytes) -> None:
        if not self._allowance.covers_a_line():
            self.flooding = True
            return
        match parse_message(line) if len(line) < MAX_LINE else None:
            case Ready() as message if not self.ready:
                self.ready = True
                self._post(WorkerMessage(self, message))
            case Hosts() as message:
                self._post(WorkerMessage(self, message))
            case Progress() as message:
                if time.monotonic() - self._progress_at >= _PROGRESS_SECONDS:
                    self._progress_at = time.monotonic()
                    self._post(WorkerMessage(self, message))
            case Receipt() as message if self._receipts < self._asked:
                self._receipts += 1
                self._post(WorkerMessage(self, message))
            case _:
                self._noise += 1
                self.flooding = self._noise > _MAX_NOISE

    def _hear_no_more(self) -> None:
        """Its end is the last that is heard of it, once."""
        if not self._said.closed:
            self._pipes.forget(self._said.fileno())
            self._said.close()
            self._post(WorkerExited(self))


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


def _pipe(stream: IO[bytes] | None) -> IO[bytes]:
    assert stream is not None  # both are pipes, by construction
    return stream
