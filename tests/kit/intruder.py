"""What code that took over a stage would try, as native code does: through libc, past Python.

    intruder.py free|decoder|model|prepare FOLDER PORT OUTSIDE

`prepare` runs the real PREPARE on the job in FOLDER, with the intruder in its decoder's place.
FOLDER is the stage's own; OUTSIDE holds a "secret", a "ledger" and a "program". Prints, or writes
to FOLDER/loot.json, one word an attempt: "done", or the name of the error that it met.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import resource
import runpy
import signal
import socket
import struct
import sys
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from daemon.stages import sandbox

_libc = ctypes.CDLL(None, use_errno=True)
_SEIZE = 0x4206  # ptrace(2): attach without stopping; that would stop the test itself


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def _connect(kind: int, port: int) -> None:
    fd = _checked(_libc.socket(socket.AF_INET, kind, 0))
    address = struct.pack("=HH4s8x", socket.AF_INET, socket.htons(port), bytes([127, 0, 0, 1]))
    _checked(_libc.connect(fd, address, 16))


def _connect_locally(path: Path) -> None:
    fd = _checked(_libc.socket(socket.AF_UNIX, socket.SOCK_STREAM, 0))
    address = struct.pack("=H108s", socket.AF_UNIX, os.fsencode(path))
    _checked(_libc.connect(fd, address, len(address)))


def _run(program: Path) -> None:
    """Replaces this process if it may: "done" is then never said, and the test sees that."""
    arguments = (ctypes.c_char_p * 2)(os.fsencode(program), None)
    _checked(_libc.execv(os.fsencode(program), arguments))


def _fork() -> None:
    child = _checked(_libc.fork())
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)


def _attempts(folder: Path, port: int, outside: Path) -> dict[str, Callable[[], object]]:
    def write_inside() -> None:
        (folder / "mine").write_bytes(b"x")

    return {
        "write its folder": write_inside,
        "read a secret": (outside / "secret").read_bytes,
        "list a folder": lambda: os.listdir(outside),  # noqa: PTH208
        "write a secret": lambda: (outside / "secret").write_bytes(b"planted"),
        "plant a file": (outside / "planted").touch,
        "write the ledger": lambda: (outside / "ledger").open("r+b"),
        "delete the ledger": (outside / "ledger").unlink,
        "move the ledger in": lambda: (outside / "ledger").rename(folder / "ledger"),
        "change a mode": lambda: (outside / "secret").chmod(0o777),
        "connect": lambda: _connect(socket.SOCK_STREAM, port),
        "send": lambda: _connect(socket.SOCK_DGRAM, port),
        "connect locally": lambda: _connect_locally(outside / "socket"),
        "signal the daemon": lambda: os.kill(os.getppid(), 0),
        "read the daemon's memory": lambda: Path(f"/proc/{os.getppid()}/mem").open("rb"),
        "trace the daemon": lambda: _checked(_libc.ptrace(_SEIZE, os.getppid(), 0, 0)),
        "fork": _fork,
        "run a program": lambda: _run(outside / "program"),
    }


def _tried(attempt: Callable[[], object]) -> str:
    try:
        attempt()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "done"


def _loot(folder: Path, port: int, outside: Path) -> dict[str, object]:
    words = {name: _tried(act) for name, act in _attempts(folder, port, outside).items()}
    limits = {
        name: resource.getrlimit(getattr(resource, f"RLIMIT_{name}"))[1] != resource.RLIM_INFINITY
        for name in ("DATA", "FSIZE", "CPU", "NOFILE")
    }
    return {**words, "limits": limits}


def _inside_prepare(folder: Path, port: int, outside: Path) -> None:
    from daemon.stages import decode  # noqa: PLC0415 - only then

    def break_out(*_: object, **__: object) -> None:
        (folder / "loot.json").write_text(json.dumps(_loot(folder, port, outside)))
        os.kill(os.getpid(), signal.SIGKILL)

    decode.decode = break_out  # type: ignore[assignment]
    sys.argv = ["prepare"]
    runpy.run_module("daemon.stages.prepare", run_name="__main__")


def _main() -> None:
    role, folder, port, outside = (
        sys.argv[1],
        Path(sys.argv[2]),
        int(sys.argv[3]),
        Path(sys.argv[4]),
    )
    if role == "prepare":
        _inside_prepare(folder, port, outside)
        return
    if role == "decoder":
        holds = sandbox.confine_decoder(folder, 60.0)
    elif role == "model":
        holds = sandbox.confine_model(folder)
    loot = _loot(folder, port, outside)
    sys.stdout.write(json.dumps({**loot, "holds": holds}))


if __name__ == "__main__":
    _main()
