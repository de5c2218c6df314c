"""Telling others how a file fared: a macOS notification, a hook command, a webhook.

A thread for each channel sends them, behind a queue. A job neither waits for it nor fails by it;
what could not be told is logged. What is still unsaid when the daemon is killed is lost: the outbox
is the record, a notification is a courtesy.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from daemon.config.settings import Notify
from daemon.files.answering import start_thread
from daemon.reporting.hook import Hook
from daemon.reporting.webhook import Webhook

_NOTIFIED_EVENTS = frozenset({"done", "failed", "paused"})
SCHEMA_VERSION = 1
_LAST_SECONDS = 0.75  # for a channel that is told to stop: more than a hook's grace
_WAITING = 1000  # notices; what comes while so many wait is dropped


@dataclass(frozen=True, slots=True)
class Notice:
    """What hooks and webhooks get as one JSON object: these fields, and `facts` beside them.

    `facts` are the fields that events.jsonl has for the event. None holds a word of a recording.
    """

    event: str  # "done", "failed", "paused", or "unchanged" for a duplicate
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
        chosen.append(Webhook(notify.webhook, notify.webhook_secret))
    return tuple(chosen)


class Notifier:
    """Passes on what the event log says of files and of pauses, to each channel by its own thread.

    A webhook whose server drips, or a hook that hangs, holds up nobody else.
    """

    def __init__(
        self,
        channels: Sequence[Channel],
        outbox: Path,
        complain: Callable[[str], None],
    ) -> None:
        self._outbox = outbox
        self._complain = complain  # called from the threads with one line for the log
        self._senders = [_Sender(channel, complain) for channel in channels]

    def on_event(self, event: str, message: str, name: str, facts: Mapping[str, object]) -> None:
        """Queue a notice of this event, if it is one to be sent, and return at once."""
        is_duplicate = event == "unchanged" and facts.get("duplicate") is True
        if (event in _NOTIFIED_EVENTS or is_duplicate) and self._senders:
            facts = {**facts, "outbox": str(self._outbox)}
            if isinstance(names := facts.get("outputs"), list):
                facts["outputs"] = [str(self._outbox / name) for name in names]
            notice = Notice(event, name, message, facts)
            for sender in self._senders:
                sender.put(notice)

    def use(self, channels: Sequence[Channel]) -> None:
        """From now on, send to these; the others send what they have been given."""
        for sender in self._senders:
            sender.finish()
        self._senders = [_Sender(channel, self._complain) for channel in channels]

    def close(self, seconds: float = 1.0) -> None:
        """Say what is left to say, for `seconds` at most: launchd does not wait for long."""
        for sender in self._senders:
            sender.finish()
        deadline = time.monotonic() + seconds
        for sender in self._senders:
            sender.wait(deadline - time.monotonic())
        for sender in self._senders:
            sender.stop()
        deadline = time.monotonic() + _LAST_SECONDS
        for sender in self._senders:
            sender.wait(deadline - time.monotonic())


class _Sender:
    """A channel, the notices that wait for it, and the thread that sends them."""

    def __init__(self, channel: Channel, complain: Callable[[str], None]) -> None:
        self._channel = channel
        self._complain = complain
        self._queue: queue.Queue[Notice | None] = queue.Queue()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="notifier", daemon=True)
        start_thread(self._thread)

    def put(self, notice: Notice) -> None:
        if self._queue.qsize() < _WAITING:
            self._queue.put(notice)

    def finish(self) -> None:
        """There will be no further notice."""
        self._queue.put(None)

    def wait(self, seconds: float) -> None:
        self._thread.join(max(0.0, seconds))

    def stop(self) -> None:
        """There is no time for another try."""
        self._stop.set()

    def _run(self) -> None:
        while (notice := self._queue.get()) is not None and not self._stop.is_set():
            try:
                self._channel.send(notice.to_json(), self._stop)
            except (OSError, ValueError) as error:
                self._complain(f"could not tell about {notice.file or 'the queue'}: {error}")
