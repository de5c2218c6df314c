"""The stage's side of the contract: answer each request with one receipt, die with the daemon.

Everything that a library prints goes to the job's log file: the original stdout, which carries the
protocol, is moved out of its reach before anything else is imported.
"""

from __future__ import annotations

import contextlib
import functools
import os
import queue
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from typing import NoReturn, ParamSpec

from daemon.domain.job import FailureKind
from daemon.errors import DropscribeError
from daemon.files import faults
from daemon.handoff import artefacts
from daemon.handoff.protocol import (
    Message,
    MoreInput,
    Progress,
    Ready,
    Receipt,
    Request,
    Usage,
    message_line,
    parse_request,
)
from daemon.stages.sandbox import (
    cpu_seconds,
    guard_stdout,
    log_into,
    peak_rss_bytes,
    refuse_network,
    write_all,
)

PROGRESS_SECONDS = 0.25  # at most four progress lines a second


class StageError(Exception):
    """A failure that the stage understands: its kind, and a sentence for a person."""

    def __init__(self, kind: FailureKind, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Channel:
    """A handler's line to the daemon while it works on one request."""

    def __init__(self, request: Request, server: Server) -> None:
        self.request = request
        self.complete = False  # the daemon said that the input is whole,
        self.alone = False  # and that nobody else needs the processor
        self._server = server
        self._told = -1.0
        self._cpu_before = cpu_seconds()

    def progress(self, done: float, total: float) -> None:
        """Report audio seconds done; this is the heartbeat that keeps the stage alive."""
        now = time.monotonic()
        if now - self._told >= PROGRESS_SECONDS:
            self._told = now
            self._server.send(Progress(self.request.nonce, round(done, 3), round(total, 3)))

    def wait_for_more(self) -> None:
        """Sleep until the daemon says that there is more input, or that it is whole now."""
        while not self.complete:
            if self._hear(self._server.waiting.get()):
                return

    def listen(self) -> None:
        """Take in what the daemon has said, if anything, without waiting."""
        with contextlib.suppress(queue.Empty):
            while not self.complete:
                self._hear(self._server.waiting.get_nowait())

    def _hear(self, event: Request | MoreInput) -> bool:
        if not isinstance(event, MoreInput) or event.nonce != self.request.nonce:
            return False
        self.complete, self.alone = event.complete, event.alone
        return True

    def next(self) -> Channel | None:
        """Another request, if one waits: a handler may work on several files at a time.

        Each is answered by its own `answer`; what is open when the handler fails, fails with it.
        """
        try:
            event = self._server.waiting.get_nowait()
        except queue.Empty:
            return None
        return self._server.open(event) if isinstance(event, Request) else None

    def answer(self, kind: FailureKind | None = None, message: str = "") -> None:
        """Send the receipt: at the latest, it is sent when the handler returns."""
        usage = Usage(cpu_seconds() - self._cpu_before, peak_rss_bytes())
        self._server.close(self, Receipt(self.request.nonce, usage, kind, message))


Handler = Callable[[Channel], None]
_P = ParamSpec("_P")


class Server:
    """The requests that wait, those that are open, and the way back to the daemon."""

    def __init__(self, protocol: int) -> None:
        self.waiting: queue.SimpleQueue[Request | MoreInput] = queue.SimpleQueue()
        self._protocol = protocol
        self._open: list[Channel] = []

    def send(self, message: Message) -> None:
        write_all(self._protocol, message_line(message))

    def open(self, request: Request) -> Channel:
        log_into(request.folder / artefacts.LOG)
        channel = Channel(request, self)
        self._open.append(channel)
        return channel

    def close(self, channel: Channel, receipt: Receipt) -> None:
        if channel in self._open:
            self._open.remove(channel)
            self.send(receipt)

    def run(self, handler: Handler) -> NoReturn:
        """Serve until the thread that reads stdin ends the process."""
        while True:
            request = self.waiting.get()
            if isinstance(request, Request):
                outcome = _outcome(handler, self.open(request))
                for channel in list(self._open):
                    channel.answer(*outcome)


def _ends_with_its_errors(serving: Callable[_P, NoReturn]) -> Callable[_P, NoReturn]:
    """What is raised ends the process at once, with exit code 1 and a trace on stderr.

    The interpreter's own end would abort: the thread that reads stdin holds its lock.
    """

    @functools.wraps(serving)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> NoReturn:
        try:
            serving(*args, **kwargs)
        except BaseException:
            traceback.print_exc()
            os._exit(1)

    return run


@_ends_with_its_errors
def serve(
    prepare: Callable[[], Handler], confine: Callable[[], object] = refuse_network
) -> NoReturn:
    """Run a stage until its stdin ends.

    `confine` shuts the sandbox's door, before there is another thread that could stay outside.
    `prepare` imports what is heavy and returns the handler; a handler returns when its artefacts
    are written, and raises StageError for the failures that it understands.
    """
    server = _server()
    confine()
    threading.Thread(target=_read_requests, args=(server.waiting,), daemon=True).start()
    handler = prepare()
    server.send(Ready())
    server.run(handler)


@_ends_with_its_errors
def serve_one(prepare: Callable[[], Handler], confine: Callable[[Request], object]) -> NoReturn:
    """As `serve`, for a stage whose sandbox is the request's: a process serves one.

    It may wait for that one with its imports done. `prepare` starts no threads: they would stay
    outside of what `confine` shuts.
    """
    server = _server()
    handler = prepare()
    server.send(Ready())
    line = sys.stdin.buffer.readline()
    if not line:
        os._exit(0)
    request = parse_request(line)
    if not isinstance(request, Request):
        raise TypeError(f"a stage is first asked for work, not {line!r}")
    log_into(request.folder / artefacts.LOG)
    confine(request)
    server.waiting.put(request)
    threading.Thread(target=_read_requests, args=(server.waiting,), daemon=True).start()
    server.run(handler)


def _server() -> Server:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # of a terminal: the daemon gets it, and ends us
    return Server(guard_stdout())


def _outcome(handler: Handler, channel: Channel) -> tuple[FailureKind | None, str]:
    try:
        handler(channel)
    except StageError as error:
        return error.kind, str(error)
    except DropscribeError as error:  # the configuration or the installation, not this file
        return FailureKind.ENVIRONMENT, str(error)
    except OSError as error:
        traceback.print_exc()
        if faults.is_the_machines(error):
            return FailureKind.ENVIRONMENT, faults.explain(error)
        return FailureKind.CRASHED, f"{type(error).__name__}: {error}"
    except Exception as error:  # the one error boundary of this process
        traceback.print_exc()
        return FailureKind.CRASHED, f"{type(error).__name__}: {error}"
    return None, ""


def _read_requests(requests: queue.SimpleQueue[Request | MoreInput]) -> None:
    """Runs in a thread, so that the end of stdin ends the process even amid a computation."""
    for line in sys.stdin.buffer:
        requests.put(parse_request(line))
    os._exit(0)  # the daemon is gone or done with us; results that count are on disk already
