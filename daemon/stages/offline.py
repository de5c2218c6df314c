"""Recordings stay on this machine: a stage that opens a connection is refused."""

from __future__ import annotations

import errno
import sys


def refuse_network() -> None:
    """From now on, and for the life of this process."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo" or (
        event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple)
    ):
        raise PermissionError(errno.EACCES, "a stage does not use the network")
