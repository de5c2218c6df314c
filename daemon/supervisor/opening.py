"""The folders, before the loop begins: made, swept, and what a killed process had claimed put back.

Any of it may have to wait for a privacy prompt or a server, so it happens in a thread. Meanwhile
status.json says so, and a stop is heeded.
"""

from __future__ import annotations

import contextlib
import os
import queue
from pathlib import Path

from daemon.config.settings import Paths
from daemon.errors import TemporaryError
from daemon.files.answering import answer_within
from daemon.files.guarded import why_blocked
from daemon.files.lock import FolderLock
from daemon.files.moving import restore_claims
from daemon.files.permissions import check_is_ours
from daemon.files.real_path import real_path
from daemon.files.volumes import Mounts
from daemon.inbox.reader import Reader
from daemon.reporting.status_file import StatusFile
from daemon.supervisor.context import Context
from daemon.supervisor.crash_recovery import sweep_folders
from daemon.supervisor.events import EventQueue, InboxRead, StopRequested

_STATE_SECONDS = 20.0
_BEAT = 30.0  # seconds between two looks at an inbox that does not answer


def make_state(state: Path, jobs: Path) -> None:
    """Without it there is no queue, and no status.json that could say what is waited for.

    Raises TemporaryError if its disk or server does not answer, UsageError if others may write it.
    """

    def make() -> None:
        jobs.mkdir(parents=True, exist_ok=True)
        check_is_ours(state, "the state folder")

    try:
        answer_within(_STATE_SECONDS, make)
    except TimeoutError:
        raise TemporaryError(why_blocked(state)) from None


def make_folders(paths: Paths, mounts: Mounts) -> None:
    """A folder that cannot be made now (its volume is not mounted) pauses the queue later."""
    for folder in (paths.inbox, paths.outbox, paths.done, paths.failed):
        with contextlib.suppress(OSError):
            mounts.check([folder])
            folder.mkdir(parents=True, exist_ok=True)
    sweep_folders(paths.inbox, paths.outbox, paths.done, paths.failed, paths.state)


def open_inbox(
    context: Context, events: EventQueue, status: StatusFile, drain: bool
) -> FolderLock | None:
    """The inbox's lock, held if the inbox is there; None if we are to end.

    Raises TemporaryError if another daemon watches it, or (`drain`) if it does not answer.
    """
    paths = context.config.paths

    def read() -> FolderLock:
        make_folders(paths, context.mounts)
        lock = FolderLock(real_path(paths.inbox))
        with contextlib.suppress(OSError):  # the inbox may be missing: the scans wait for it
            lock.hold()
            _restore_claims(paths, lock.folder)
        return lock

    reader = Reader[FolderLock](lambda: events.put(InboxRead()), context.clock)
    reader.begin(read)
    while not reader.has_ended:
        now = context.clock()
        if reader.is_overdue(now):
            reason = why_blocked(paths.inbox)
            if drain:
                raise TemporaryError(f"not finished: {reason}")
            context.pause.begin("inbox", reason, now)
            status.write("paused", reason, "", [], now)
        due = now + _BEAT if context.pause.reason else reader.overdue_at()
        if _is_stop(events, min(due, status.due()) - now):
            return None
    context.pause.end("inbox")
    return reader.take()


def _is_stop(events: EventQueue, seconds: float) -> bool:
    """Wait for an event, `seconds` at most; nothing but the reader and signals post any yet."""
    try:
        return isinstance(events.get(max(0.0, seconds)), StopRequested)
    except queue.Empty:
        return False


def _restore_claims(paths: Paths, inbox: Path) -> None:
    """Put back what a killed process had claimed, in the inbox and in every folder inside it.

    What it left half-written for those folders inside goes, as in the others.
    """
    for root, folders, _ in os.walk(inbox):
        folders[:] = [name for name in folders if not name.startswith(".")]
        inside = Path(root).relative_to(inbox)
        for folder in (inbox, paths.done, paths.failed):
            restore_claims(folder / inside, Path(root))
        if inside.parts:
            places = (inbox, paths.outbox, paths.done, paths.failed)
            sweep_folders(*(folder / inside for folder in places))
