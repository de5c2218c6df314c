"""The pipes that stage processes speak through: read by the one thread that waits for events."""

from __future__ import annotations

import contextlib
import selectors
import socket
from collections.abc import Callable


class Pipes:
    """Whoever waits reads what has come. A thread for each pipe would be woken for every line.

    All but `ring` is for that thread alone.
    """

    def __init__(self) -> None:
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        for end in (self._bell, self._ringer):
            end.setblocking(False)
        self.watch(self._bell.fileno(), lambda: self._bell.recv(4096))

    def watch(self, fd: int, read: Callable[[], object]) -> None:
        """Call `read` where there is something to be read, or an end. Raises OSError."""
        self._selector.register(fd, selectors.EVENT_READ, read)

    def forget(self, fd: int) -> None:
        self._selector.unregister(fd)

    def wait(self, seconds: float) -> None:
        """Until something has been read, or somebody rings; so many seconds at most."""
        for key, _ in self._selector.select(seconds):
            key.data()

    def ring(self) -> None:
        """End a wait. From any thread, and from signal handlers."""
        with contextlib.suppress(OSError):  # it rings already, or nobody waits any more
            self._ringer.send(b"\0")

    def close(self) -> None:
        self._selector.close()
        self._bell.close()
        self._ringer.close()
