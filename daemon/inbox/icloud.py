"""Asking macOS for the content of files that are still in iCloud, without waiting for it.

Reading one byte makes macOS download the whole file. That read may hang for as long as the network
likes, so each is made by a process of its own that can be ended; the scans see when it is done.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path

Command = Callable[[Path], Sequence[str]]


def read_one_byte(path: Path) -> Sequence[str]:
    return ("/usr/bin/head", "-c", "1", str(path))


class ICloudDownloads:
    """At most `limit` files asked for at a time, each for at most `seconds`."""

    def __init__(
        self, limit: int = 2, seconds: float = 1800.0, command: Command = read_one_byte
    ) -> None:
        self._limit = limit
        self._seconds = seconds
        self._command = command
        self._readers: dict[Path, tuple[subprocess.Popen[bytes], float]] = {}

    def ask(self, path: Path, now: float) -> None:
        """Have `path` (absolute) downloaded, if there is room; call again at every scan.

        `now` is monotonic time in seconds. Raises OSError if no process can be started.
        """
        self._tend(now)
        if path in self._readers or len(self._readers) >= self._limit:
            return
        reader = subprocess.Popen(
            self._command(path),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._readers[path] = (reader, now + self._seconds)

    def close(self) -> None:
        """End all readers; what is not here yet is asked for at the next start."""
        for reader, _ in self._readers.values():
            reader.kill()
            reader.wait()
        self._readers.clear()

    def _tend(self, now: float) -> None:
        for path, (reader, deadline) in list(self._readers.items()):
            if reader.poll() is None and now >= deadline:
                reader.kill()
            if reader.poll() is not None:
                del self._readers[path]
