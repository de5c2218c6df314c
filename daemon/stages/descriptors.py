"""A stage's file descriptors: the protocol out of every library's reach, their chatter in a log."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def guard_stdout() -> int:
    """Move the protocol to a private descriptor; whatever prints to stdout now reaches stderr."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    os.set_inheritable(protocol, False)
    return protocol


def log_into(path: Path) -> None:
    """Send this process's chatter, C libraries included, to the job's log."""
    sys.stdout.flush()
    sys.stderr.flush()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]
