"""When to look into the inbox: on a ring, when a file may have settled, and every so often."""

from __future__ import annotations

import math

_GAP = 0.2  # seconds between two scans, however often the bell rings
_SHARE = 10  # … and never more than a tenth of our time, however large the inbox


class ScanSchedule:
    """All times are monotonic seconds."""

    def __init__(self, now: float, rescan_seconds: float, retry_seconds: float) -> None:
        self._rescan = rescan_seconds
        self._retry = retry_seconds  # after a scan that failed
        self._at = now
        self._asked = -math.inf
        self._not_before = now

    def request(self, now: float) -> None:
        """Something happened, or may have."""
        self._at = self._asked = now

    def due(self, settled: float | None) -> float:
        """When the next scan is due; `settled` is when a file can be found settled, if any."""
        at = self._at if settled is None else min(self._at, settled)
        return max(at, self._not_before)

    def scanned(self, begun: float, ended: float, again_soon: bool) -> None:
        """Where something happened since it began, the scan may have passed that by: once more."""
        if self._asked < begun:
            self._at = begun + (_GAP if again_soon else self._rescan)
        self._rest(begun, ended)

    def failed(self, begun: float, ended: float) -> None:
        """The inbox could not be read."""
        self._at = begun + self._retry
        self._rest(begun, ended)

    def _rest(self, begun: float, ended: float) -> None:
        rested = begun + max(_GAP, (ended - begun) * _SHARE)
        self._not_before = min(rested, ended + self._rescan)  # a scan may have waited for hours
