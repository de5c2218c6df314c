"""One side of a connection: what is to be sent, in order, and whether the other side lives."""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import IO

from daemon.cluster import wire
from daemon.domain.transcript import Json

Frame = tuple[Json, bytes]


class Link:
    """Frames out through a thread that beats when there is nothing to say; frames in by `frames`.

    `on_silence` is called once, in a thread of ours, when nothing has come for too long.
    """

    def __init__(
        self, incoming: IO[bytes], outgoing: IO[bytes], on_silence: Callable[[], None]
    ) -> None:
        self._incoming = incoming
        self._outgoing = outgoing
        self._on_silence = on_silence
        self._urgent: queue.SimpleQueue[Frame] = queue.SimpleQueue()
        self._streams: queue.SimpleQueue[Iterator[Frame]] = queue.SimpleQueue()
        self._rung = threading.Event()
        self._closed = threading.Event()
        self._heard = time.monotonic()

    def start(self) -> None:
        for work in (self._write, self._watch):
            threading.Thread(target=work, daemon=True).start()

    def send(self, head: Json) -> None:
        """Soon: also between two pieces of what is being streamed."""
        self._urgent.put((head, b""))
        self._rung.set()

    def stream(self, pieces: Iterator[Frame]) -> None:
        """All of them, after what was streamed before. The iterator runs in the writing thread."""
        self._streams.put(pieces)
        self._rung.set()

    def frames(self) -> Iterator[Frame]:
        """What the other side says, but for its beats, until it ends. Raises WireError."""
        with contextlib.suppress(OSError, ValueError):
            for head, data in wire.frames(self._incoming):
                self._heard = time.monotonic()
                if "beat" not in head:
                    yield head, data

    def flush(self, seconds: float) -> None:
        """Wait until all that was to be sent has been, `seconds` at most."""
        done = threading.Event()

        def last() -> Iterator[Frame]:
            yield {"beat": 1}, b""
            done.set()

        self.stream(last())
        done.wait(seconds)

    def close(self) -> None:
        self._closed.set()
        self._rung.set()

    def _write(self) -> None:
        with contextlib.suppress(OSError, ValueError):  # the other side is gone: `frames` ends
            while not self._closed.is_set():
                self._write_urgent()
                try:
                    pieces = self._streams.get_nowait()
                except queue.Empty:
                    self._wait()
                else:
                    for piece in pieces:
                        self._put(piece)
                        self._write_urgent()

    def _wait(self) -> None:
        if not self._rung.wait(wire.BEAT_SECONDS):
            self._put(({"beat": 1}, b""))
        self._rung.clear()

    def _write_urgent(self) -> None:
        while True:
            try:
                self._put(self._urgent.get_nowait())
            except queue.Empty:
                return

    def _put(self, frame: Frame) -> None:
        self._outgoing.write(wire.encode(*frame))
        self._outgoing.flush()

    def _watch(self) -> None:
        while not self._closed.wait(wire.BEAT_SECONDS / 4):
            if time.monotonic() - self._heard > wire.SILENCE_SECONDS:
                self._on_silence()
                return
