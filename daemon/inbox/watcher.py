"""The doorbell: watchdog tells us that something happened in the inbox, never what is true."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver
from watchdog.observers.polling import PollingObserver

from daemon.files.volumes import needs_polling

# Opening and reading are events too on Linux; reacting to them would make us ring ourselves.
# A copy by the Finder ends with the file's dates, which FSEvents reports as `attrib` alone.
RINGING = frozenset({"created", "modified", "attrib", "moved", "closed", "deleted"})
_POLL_SECONDS = 10  # between looks at a network volume


OnEvent = Callable[[FileSystemEvent], None]


class _Bell(FileSystemEventHandler):
    def __init__(self, ring: Callable[[], None], on_event: OnEvent) -> None:
        self._ring = ring
        self._on_event = on_event

    def on_any_event(self, event: FileSystemEvent) -> None:
        self._on_event(event)
        if event.event_type in RINGING:
            self._ring()


class Watcher:
    """Watches one folder; survives its disappearance because `tend` builds the watch anew.

    Both `on_event` and then `ring` are called in the observer's thread.
    """

    def __init__(
        self,
        folder: Path,
        ring: Callable[[], None],
        recursive: bool = False,
        on_event: OnEvent = lambda event: None,
    ) -> None:
        self._folder = folder
        self._recursive = recursive
        self._bell = _Bell(ring, on_event)
        self._observer: BaseObserver | None = None
        self._watched: tuple[int, int] | None = None  # (device, inode) of the folder we watch
        self.problem = ""  # why there is no watch at this moment, for status

    def tend(self) -> None:
        """Watch, or watch again if the folder was replaced or the observer died. Never raises."""
        try:
            status = self._folder.stat()
        except OSError as error:
            self.stop()
            self.problem = f"cannot watch {self._folder}: {error.strerror}"
            return
        if self._alive() and self._watched == (status.st_dev, status.st_ino):
            return
        self.stop()
        self._start()
        self._watched = (status.st_dev, status.st_ino)

    def _alive(self) -> bool:
        """watchdog's observer outlives its emitters: when the folder goes, only they die."""
        observer = self._observer
        return (
            observer is not None
            and observer.is_alive()
            and all(emitter.is_alive() for emitter in observer.emitters)
        )

    def _start(self) -> None:
        # Others write to a network volume unheard by the kernel: there, only looking helps.
        polling = needs_polling(self._folder)
        try:
            observer = PollingObserver(timeout=_POLL_SECONDS) if polling else Observer()
            observer.schedule(self._bell, str(self._folder), recursive=self._recursive)
            observer.start()
        except (OSError, RuntimeError, SystemError) as error:
            # inotify limits, a volume without events, a watch that FSEvents still holds: the
            # rescan carries on, and the next one tries again.
            self.problem = f"no file events for {self._folder}: {error}"
            return
        self._observer = observer
        self.problem = ""

    def stop(self) -> None:
        if self._observer is not None and self._observer.is_alive():
            self._observer.stop()
            self._observer.join(timeout=2)
        self._observer = None
        self._watched = None
