"""Files that failed wait before they are tried again, longer each time. All times are monotonic."""

from __future__ import annotations

_LONGEST = 300.0  # seconds


class Backoff:
    """Kept in memory only: a restart forgets it, harmlessly."""

    def __init__(self, first_seconds: float) -> None:
        self._first = first_seconds
        self._until: dict[int, float] = {}

    def wait(self, job: int, failures: int, now: float) -> float:
        """Let `job` wait after that many failures; return for how many seconds."""
        seconds = min(self._first * 2.0 ** (failures - 1), _LONGEST)
        self._until[job] = now + seconds
        return seconds

    def is_over(self, job: int, now: float) -> bool:
        if self._until.get(job, now) > now:
            return False
        self._until.pop(job, None)
        return True

    def next(self, now: float) -> float | None:
        """When the next wait is over; None if nobody waits."""
        return min((until for until in self._until.values() if until > now), default=None)
