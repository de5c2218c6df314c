"""Recordings that are worked on with no other beside them, for beside others they did not fare."""

from __future__ import annotations

from daemon.domain.job import FailureKind


class Alone:
    """Forgotten when the daemon ends: then they are tried beside others once more."""

    def __init__(self) -> None:
        self.transcribed: set[int] = set()  # jobs that may have brought the transcriber down
        self.decoded: set[int] = set()  # and jobs whose audio did not fit the disk

    def is_next(self, job: int, kind: FailureKind | None) -> bool:
        """Whether a failure of that kind may be others' doing: then the job is tried again."""
        if kind is FailureKind.SUSPECTED:
            self.transcribed.add(job)
            return True
        if kind is FailureKind.NO_ROOM:
            is_new = job not in self.decoded
            self.decoded.add(job)
            return is_new
        return kind is FailureKind.NOT_BEGUN
