"""Work beside the loop that stands still: the disk or server that it waits for may be dead.

Nothing can end it; its file waits, and others that need the same thread. So it is told: in the log
once, and for as long as it lasts in the status.
"""

from __future__ import annotations

import datetime
import math

from daemon.domain.transcript import Json
from daemon.files.background import About
from daemon.files.guarded import why_blocked
from daemon.supervisor.context import Context

SECONDS = 60.0  # without a step: to sync 32 MB, or to read one
_WHAT = {"copy": "its copy to", "read": "a second look at it in", "remove": "a removal in"}


class HangingWork:
    """Every method is called from the loop only."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._rows: dict[tuple[About, float], Json] = {}  # what hangs, for the status

    def look(self, now: float) -> list[Json]:
        """A row for each; what is new is told."""
        found = self._context.background.standing_still(now - SECONDS)
        self._rows = {one: self._rows.get(one) or self._told(*one, now) for one in found}
        return list(self._rows.values())

    def due(self) -> float:
        """When something may have stood still for so long (monotonic)."""
        under_way = self._context.background.standing_still(math.inf)
        heard = [moment for about, moment in under_way if (about, moment) not in self._rows]
        return min(heard, default=math.inf) + SECONDS

    def _told(self, about: About, heard: float, now: float) -> Json:
        context = self._context
        moment = datetime.datetime.fromtimestamp(context.unix_time() - (now - heard), datetime.UTC)
        since = f"{moment.astimezone():%Y-%m-%d %H:%M}"
        reason = f"{_WHAT[about.kind]} {about.folder} has stood still since {since}"
        job = context.ledger.job(about.job)
        context.event_log.warning("hanging", f"{reason}: {why_blocked(about.folder)}", job)
        return {
            "job": about.job,
            "name": job.name if job is not None else "a recording that was filed away",
            "folder": str(about.folder),
            "since": moment.isoformat(timespec="seconds").replace("+00:00", "Z"),
            "reason": reason,
        }
