"""A daemon and its fake stages, forked from a process that has imported everything already.

Starting Python and importing our code is most of what a trial of the crash loop costs. Here each
daemon is a fork of the caller, and each fake stage one of a server that was forked before. The
daemon still starts a child for each stage, pipes and all: a small program (fakes/forked_stage.py)
that hands its three descriptors to the server and lives as long as the fork does.

Such a stage gets the server's environment, not the daemon's, and is not below the daemon in the
tree of processes: what a test asks of its memory or its children, it has to ask of a real child.
"""

from __future__ import annotations

import array
import contextlib
import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NoReturn

from tests.kit import fake_commands, fake_stage, runner

_ROOT = Path(__file__).parents[2]
_CLIENT = fake_commands.FAKES / "forked_stage.py"
_LINE = 65536  # of a request: the working folder and the arguments


@contextlib.contextmanager
def stage_server() -> Iterator[tuple[str, ...]]:
    """While it runs, it forks fake stages. Yields how to start one, for `fake_commands.START`."""
    # The name of a socket has room for about a hundred characters, macOS's own for fewer.
    short = Path(tempfile.mkdtemp(prefix="stages-", dir="/tmp"))
    path = str(short / "socket")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(64)
        number = listener.fileno()
        command = [sys.executable, "-s", "-m", __name__, str(number)]
        server = subprocess.Popen(command, cwd=_ROOT, pass_fds=[number])
    try:
        yield (sys.executable, "-S", "-E", "-P", "-s", str(_CLIENT), path)
    finally:
        server.kill()
        server.wait()
        shutil.rmtree(short)


def run(arguments: Sequence[str], log: Path, tracer: Sequence[str] = (), seconds: int = 120) -> int:
    """Run tests/kit/runner.py with these arguments to its end; return how it ended.

    `tracer`: a command line of strace, which is attached to the daemon before its first step.
    A negative number is a signal, as with `subprocess`. The caller must have no threads.
    """
    daemon = os.fork()
    if daemon == 0:
        _become_daemon(arguments, log, is_traced=bool(tracer))
    watcher = None
    try:
        if tracer:
            watcher = _attach(tracer, daemon)
        status = _ended(daemon, seconds)
    finally:
        if watcher is not None:
            watcher.wait(30)
    return os.waitstatus_to_exitcode(status)


def _become_daemon(arguments: Sequence[str], log: Path, is_traced: bool) -> NoReturn:
    with log.open("ab") as console:
        os.dup2(console.fileno(), 1)
        os.dup2(console.fileno(), 2)
    if is_traced:
        os.kill(os.getpid(), signal.SIGSTOP)
    _leave_with(lambda: runner.main(arguments))


def _leave_with(act: Callable[[], int]) -> NoReturn:
    """As a process of its own would end; nothing of the caller's is run."""
    code = 70
    try:
        code = act()
    except SystemExit as leaving:
        code = leaving.code if isinstance(leaving.code, int) else 1
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def _attach(tracer: Sequence[str], process: int) -> subprocess.Popen[bytes]:
    os.waitpid(process, os.WUNTRACED)
    watcher = subprocess.Popen([*tracer, "-p", str(process)])
    status = Path(f"/proc/{process}/status")
    while "TracerPid:\t0\n" in status.read_text():
        assert watcher.poll() is None, "strace did not attach"
        time.sleep(0.001)
    os.kill(process, signal.SIGCONT)
    return watcher


def _ended(process: int, seconds: int) -> int:
    """The status of a child that must end by itself within that time."""
    timer = threading.Timer(seconds, os.kill, (process, signal.SIGKILL))
    begun = time.monotonic()
    timer.start()
    try:
        status = os.waitpid(process, 0)[1]
    finally:
        timer.cancel()
        timer.join()  # the next fork must find no thread
    assert time.monotonic() - begun < seconds, "it did not come to an end"
    return status


# The server of stages


def _serve(listener: socket.socket) -> NoReturn:
    """A fork for each connection."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # so that they leave nothing behind
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _leave_with(functools.partial(_run_stage, connection))
        connection.close()


def _run_stage(connection: socket.socket) -> int:
    """Fork the stage, wait for it, and tell the client its status."""
    request, descriptors, _, _ = socket.recv_fds(connection, _LINE, 3)
    folder, *arguments = os.fsdecode(request).split("\0")
    stage = os.fork()
    if stage == 0:
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(folder)
        connection.close()
        _leave_with(lambda: fake_stage.main(*arguments))
    threading.Thread(target=_end_with, args=(connection, os.pidfd_open(stage)), daemon=True).start()
    for descriptor in descriptors:
        os.close(descriptor)
    status = os.waitstatus_to_exitcode(os.waitpid(stage, 0)[1])
    with contextlib.suppress(OSError):
        connection.send(array.array("i", [status]).tobytes())
    return 0


def _end_with(connection: socket.socket, stage: int) -> None:
    """When the client is gone, killed by its daemon, so is the stage, even one that is stopped."""
    with contextlib.suppress(OSError):
        connection.recv(1)
    with contextlib.suppress(ProcessLookupError):
        signal.pidfd_send_signal(stage, signal.SIGKILL)


if __name__ == "__main__":
    _serve(socket.socket(fileno=int(sys.argv[1])))
