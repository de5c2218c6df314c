"""Faults in a process's own calls to the system, where nothing outside can inject them.

A specification is `CALL:WHEN:WHAT:FOLDER[:LOG]`.
    CALL    open, rename, link, unlink, mkdir, sync, list, stat, or `any` of them but the last two;
            with `-late` behind it, the call happens and then reports its error
    WHEN    the number of the call to strike, from 1; `3+` strikes the third and all later ones;
            `0` none (to count them)
    WHAT    KILL, the name of an errno, or BLOCK: the call waits in the kernel, as in front of a
            privacy prompt or a dead server, until somebody writes to the FIFO `FOLDER.fifo`
    FOLDER  only calls on paths below it count, and every `sync`
    LOG     a file that gets one line a counted call
"""

from __future__ import annotations

import errno
import io
import os
import signal
from collections.abc import Callable
from typing import Any

from daemon.files import renaming

_CALLS: dict[str, list[tuple[Any, str]]] = {
    "open": [(os, "open"), (io, "open")],
    "rename": [(os, "rename"), (os, "replace"), (renaming, "exclusive_rename")],
    "link": [(os, "link")],
    "unlink": [(os, "unlink"), (os, "remove")],
    "mkdir": [(os, "mkdir")],
    "sync": [(os, "fsync")],
    "list": [(os, "scandir"), (os, "listdir")],
    "stat": [(os, "stat"), (os, "lstat")],
}
_real_open, _real_close = os.open, os.close
_DURABLE = ("open", "rename", "link", "unlink", "mkdir", "sync")


class _Fault:
    def __init__(self, specification: str) -> None:
        call, when, self._what, folder, *log = specification.split(":")
        call, self._late = call.removesuffix("-late"), call.endswith("-late")
        self.calls = _DURABLE if call == "any" else (call,)
        self._number = int(when.rstrip("+"))
        self._for_ever = when.endswith("+")
        self._folder = folder
        self._log = os.open(log[0], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600) if log else None
        self._count = 0

    def wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(target: Any = ".", *rest: Any, **options: Any) -> Any:  # noqa: ANN401
            if self._late:
                result = real(target, *rest, **options)
                self._strike(name, target)
                return result
            self._strike(name, target)
            return real(target, *rest, **options)

        return call

    def _strike(self, name: str, target: object) -> None:
        if not (self._concerns(target) or name == "sync"):
            return
        self._count += 1
        if self._log is not None:
            os.write(self._log, f"{name} {target!r}\n".encode("utf-8", "backslashreplace"))
        if self._count == self._number or (self._for_ever and self._count > self._number):
            self._act(target)

    def _concerns(self, target: object) -> bool:
        if not isinstance(target, str | bytes | os.PathLike):
            return False
        return os.fsdecode(target).startswith(self._folder)

    def _act(self, target: object) -> None:
        if self._what == "KILL":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._what == "BLOCK":
            _real_close(_real_open(f"{self._folder}.fifo", os.O_RDONLY))
            return
        number = getattr(errno, self._what)
        name = None if isinstance(target, int) else os.fspath(target)  # type: ignore[call-overload]
        raise OSError(number, os.strerror(number), name)


def install(specification: str) -> None:
    """From now on, this process's calls fail as `specification` says."""
    fault = _Fault(specification)
    for name in fault.calls:
        for module, attribute in _CALLS[name]:
            setattr(module, attribute, fault.wrapped(name, getattr(module, attribute)))
