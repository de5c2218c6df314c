"""Jobs that wait for their file: until it is still again, or is found under another name."""

from __future__ import annotations


class HeldJobs:
    """Scans of the inbox release a held job; without a watched inbox, no job can be held."""

    def __init__(self, inbox_is_watched: bool) -> None:
        self._inbox_is_watched = inbox_is_watched
        self._jobs: set[int] = set()

    def hold(self, job: int) -> bool:
        """Nothing starts for this job until it is released. False: nobody would release it."""
        if self._inbox_is_watched:
            self._jobs.add(job)
        return self._inbox_is_watched

    def release(self, job: int) -> None:
        self._jobs.discard(job)

    def __contains__(self, job: int) -> bool:
        return job in self._jobs

    def all(self) -> frozenset[int]:
        return frozenset(self._jobs)
