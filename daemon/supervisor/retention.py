"""Recordings that were delivered long ago go to the Trash, where the configuration says so."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from daemon.domain.job import Stage
from daemon.domain.names import printable
from daemon.supervisor.context import Context

_EVERY = 6 * 3600.0  # seconds between two looks
_DAY = 86_400.0
_ALL = 1_000_000


def to_trash(path: Path) -> None:
    """Move a file to the Trash of this desktop. Raises OSError."""
    from send2trash import send2trash  # noqa: PLC0415 - a rare wish

    send2trash(path)


class Retention:
    """Looks at done/ a few times a day; only recordings that we filed there ourselves are moved."""

    def __init__(self, context: Context, discard: Callable[[Path], None] = to_trash) -> None:
        self._context = context
        self._discard = discard
        self._at = -_EVERY

    def tidy(self) -> None:
        """Call as often as you like."""
        context = self._context
        days, now = context.config.output.keep_days, context.clock()
        if not days or now - self._at < _EVERY:
            return
        self._at = now
        oldest = context.unix_time() - days * _DAY
        done = context.config.paths.done
        for job in context.ledger.recent(_ALL):
            if job.next is not Stage.DONE or not job.finished_at or job.finished_at > oldest:
                continue
            path = done / job.source.name
            try:
                status = path.lstat()
                kept = (status.st_size, status.st_mtime_ns)
                if kept == (job.identity.size, job.identity.mtime_ns):
                    self._discard(path)
                    text = f"{printable(path.name)}: to the Trash after {days} days"
                    context.event_log.info("trashed", text, job)
            except FileNotFoundError:
                continue
            except OSError as error:
                context.event_log.warning("kept", f"not moved to the Trash: {error}", job)
                return
