"""Whether this machine is to be lent at this moment: [lend] says when, its owner comes first."""

from __future__ import annotations

import re
import subprocess
import sys
import time

from daemon.config.settings import Lend
from daemon.supervisor.power import in_hours, on_battery

_IOREG = ("/usr/sbin/ioreg", "-c", "IOHIDSystem", "-d", "4")


def why_not(settings: Lend) -> str:
    """The reason for a person; "" if it may be lent."""
    if not settings.on_battery and on_battery():
        return "it runs on battery"
    if settings.hours and not in_hours(settings.hours, time.time()):
        return f"it is lent at {settings.hours} only"
    if settings.idle_minutes:
        idle = idle_seconds()
        if idle is not None and idle < settings.idle_minutes * 60:
            return "somebody works at it"
    return ""


def idle_seconds() -> float | None:
    """Since when nobody has touched keyboard or mouse; None where that cannot be known."""
    if sys.platform != "darwin":
        return None
    try:
        said = subprocess.run(_IOREG, capture_output=True, timeout=5, check=False).stdout
    except (OSError, subprocess.TimeoutExpired):
        return None
    return parse_idle(said)


def parse_idle(said: bytes) -> float | None:
    """HIDIdleTime, which `ioreg` gives in nanoseconds, in seconds."""
    found = re.search(rb'"HIDIdleTime"\s*=\s*(\d+)', said)
    return int(found[1]) / 1e9 if found else None
