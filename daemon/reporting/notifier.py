"""Telling others how a file fared: a macOS notification, a hook command, a webhook.

One thread sends them, behind a queue. A job neither waits for it nor fails by it; what could
not be told is logged. What is still unsaid when the daemon is killed is lost: the outbox is the
record, a notification is a courtesy.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from daemon.config.settings import Notify
from daemon.reporting.hook import Hook
from daemon.reporting.webhook import Webhook

NOTIFIED_EVENTS = frozenset({"done", "failed", "paused"})
SCHEMA_VERSION = 1
_LAST_SECONDS = 2.0  # for a channel that is told to stop: more than a hook's grace
_WAITING = 1000  # notices; what comes while so many wait is dropped


@dataclass(frozen=True, slots=True)
class Notice:
    """What hooks and webhooks get as one JSON object: these fields, and `facts` beside them.

    `facts` are the fields that events.jsonl has for the event. None holds a word of a recording.
    """

    event: str  # "done", "failed" or "paused"
    file: str  # the recording's name, printable; "" where the whole queue is meant
    message: str  # one sentence for a person
    facts: Mapping[str, object]

    def to_json(self) -> bytes:
        fields = {"schema_version": SCHEMA_VERSION, "event": self.event}
        fields |= {"file": self.file, "message": self.message}
        return json.dumps({**self.facts, **fields}, allow_nan=False).encode()


class Channel(Protocol):
    """One way to send a notice. Raises OSError with a reason; `stop` means hurry up."""

    def send(self, notice: bytes, stop: threading.Event) -> None: ...


class MacNotification:
    """A banner through osascript(1). The text travels as arguments, never as script."""

    _SCRIPT = (
        "on run argv",
        "display notification (item 2 of argv) with title (item 1 of argv)",
        "end run",
    )

    def __init__(self, osascript: str = "osascript") -> None:
        self._command = [osascript, *(part for line in self._SCRIPT for part in ("-e", line))]

    def send(self, notice: bytes, stop: threading.Event) -> None:
        said = json.loads(notice)
        # The title comes first and begins with a letter, so no name can pass for an option.
        title = f"dropscribe: {said['event']}"
        text = f"{said['file']}: {said['message']}" if said["file"] else said["message"]
        Hook([*self._command, title, text], seconds=10.0).send(b"", stop)


def channels(notify: Notify, folder: Path, platform: str = sys.platform) -> tuple[Channel, ...]:
    """Every way that the configuration asks for; a hook runs in `folder`."""
    chosen: list[Channel] = []
    if notify.macos and platform == "darwin":
        chosen.append(MacNotification())
    if notify.hook:
        chosen.append(Hook(notify.hook, notify.hook_seconds, folder))
    if notify.webhook:
        chosen.append(Webhook(notify.webhook))
    return tuple(chosen)


class Notifier:
    """Passes on what the event log says of files and of pauses, in a thread of its own."""

    def __init__(
        self,
        channels: Sequence[Channel],
        outbox: Path,
        complain: Callable[[str], None],
    ) -> None:
        self._channels = channels
        self._outbox = outbox
        self._complain = complain  # called from the thread with one line for the log
        self._queue: queue.Queue[Notice | None] = queue.Queue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        self._started = False
        if channels:
            self._start()

    def on_event(self, event: str, message: str, name: str, facts: Mapping[str, object]) -> None:
        """Queue a notice of this event, if it is one to be sent, and return at once."""
        if event in NOTIFIED_EVENTS and self._channels and self._queue.qsize() < _WAITING:
            facts = {**facts, "outbox": str(self._outbox)}
            if isinstance(names := facts.get("outputs"), list):
                facts["outputs"] = [str(self._outbox / name) for name in names]
            self._queue.put(Notice(event, name, message, facts))

    def use(self, channels: Sequence[Channel]) -> None:
        """From now on, send to these."""
        self._channels = channels
        if channels and not self._started:
            self._start()

    def _start(self) -> None:
        self._started = True
        self._thread.start()

    def close(self, seconds: float = 2.0) -> None:
        """Say what is left to say, for `seconds` at most: launchd does not wait for long."""
        if self._thread.is_alive():
            self._queue.put(None)
            self._thread.join(seconds)
            self._stop.set()
            self._thread.join(_LAST_SECONDS)

    def _run(self) -> None:
        while (notice := self._queue.get()) is not None and not self._stop.is_set():
            for channel in self._channels:
                try:
                    channel.send(notice.to_json(), self._stop)
                except (OSError, ValueError) as error:
                    self._complain(f"could not tell about {notice.file or 'the queue'}: {error}")
