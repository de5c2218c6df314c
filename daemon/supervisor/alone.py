"""Recordings that are worked on with no other beside them, for beside others they did not fare."""

from __future__ import annotations

from daemon.domain.job import FailureKind


class Alone:
    """Forgotten when the daemon ends: then they are tried beside others once more."""

    def __init__(self) -> None:
        self.transcribed: set[int] = set()  # jobs that may have brought the transcriber down
        # Jobs whose audio did not fit the disk, with the attempt that showed it.
        self.decoded: dict[int, str] = {}

    def is_next(self, job: int, nonce: str, kind: FailureKind | None) -> bool:
        """Whether a failure of that kind may be others' doing: then the job is tried again.

        The answer for an attempt, which its nonce tells, is the same however often it is asked.
        """
        if kind is FailureKind.SUSPECTED:
            self.transcribed.add(job)
            return True
        if kind is FailureKind.NO_ROOM:
            return self.decoded.setdefault(job, nonce) == nonce
        return kind is FailureKind.NOT_BEGUN
