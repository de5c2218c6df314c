"""Whether a daemon that holds its lock also answers. `status` says so where it does not."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from daemon.domain.transcript import Json

_FRESH = 5.0  # seconds: who has written its status since then is not looked at
_LOOKS_MISSED = 3  # of the looks into the inbox, each of which writes the status


def why_silent(daemon: Json, rescan_seconds: float) -> str:
    """Why the daemon of that status.json does not answer, and what to do; "" if it does.

    It may be stopped (Ctrl-Z, SIGSTOP, a debugger), or held up in one step for minutes.
    """
    try:
        updated, pid = datetime.datetime.fromisoformat(daemon["updated"]), int(daemon["pid"])
        seconds = (datetime.datetime.now(datetime.UTC) - updated).total_seconds()
    except (KeyError, TypeError, ValueError):
        return ""
    if seconds > _FRESH and _is_stopped(pid):
        return f"its process {pid} was stopped: kill -CONT {pid} lets it go on where it was"
    if seconds > _LOOKS_MISSED * rescan_seconds + _FRESH:
        return (
            f"it has not said anything for {seconds / 60:.0f} minutes: it copies something very"
            " large, or its disk does not answer; dropscribe logs shows what it did last"
        )
    return ""


def _is_stopped(pid: int) -> bool:
    """As the system says; where that cannot be known, it is not."""
    import psutil  # noqa: PLC0415 - most looks need it not

    try:
        status = psutil.Process(pid).status()
    except psutil.Error:
        return False
    return status in {psutil.STATUS_STOPPED, psutil.STATUS_TRACING_STOP}
