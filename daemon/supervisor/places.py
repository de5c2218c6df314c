"""How many files each stage works on at a time; a short one never waits for long ones alone."""

from __future__ import annotations

import contextlib
import os
from functools import cache
from itertools import islice

import psutil

from daemon.domain.job import Job, Stage
from daemon.handoff import artefacts
from daemon.supervisor import lending
from daemon.supervisor.context import Context

AHEAD = 8  # files decoded ahead of the transcriber, and files that it may hold at a time

AHEAD_OF_LENDING = lending.AT_HOME + 1  # where other machines take files, too
_AHEAD_BYTES = 2_000_000_000  # of decoded audio that waits; it is 17 hours
_SHORT = 30.0  # seconds of estimated work: one place is kept for files that take less
_SHORT_BYTES = 20_000_000  # of decoded audio: ten minutes
_PREPARE_BYTES = 2_000_000_000  # of the machine's memory, for each file that is decoded
_MOST_PREPARATIONS = 6
_PUBLISHERS = 2  # one for the file that takes minutes, one for the others
_RENDERED_SOON = 2.0  # seconds: to wait for a publisher for that long is cheaper than a new one
_PLACES = {
    Stage.TRANSCRIBE: AHEAD,
    Stage.ALIGN: 2,  # one finishing the last file, one warming up for the next
    Stage.DIARIZE: 1,
}


class Places:
    """Counts what runs. Every method is called from the supervisor's loop only."""

    def __init__(self, context: Context) -> None:
        self._context = context

    def for_preparing(self) -> tuple[bool, bool]:
        """Whether a short file may be decoded now, and whether a long one may.

        No more is decoded ahead than the transcriber needs, and the last place is kept for a short
        file.
        """
        running = len(self._context.attempts.of(Stage.PREPARE))
        if running >= _preparations():
            return False, False
        waiting = list(islice(self._context.ledger.waiting(Stage.TRANSCRIBE), AHEAD))
        ahead = AHEAD_OF_LENDING if lending.has_hosts(self._context) else AHEAD
        places = min(_preparations() - running, ahead - running - len(waiting))
        fits = places > 1 and sum(map(self._audio_bytes, waiting)) < _AHEAD_BYTES
        return places > 0, fits

    def has_place(self, stage: Stage, job: int) -> bool:
        """Whether one more file may be at that stage.

        Where only long ones are, there is a place more for a short one.
        """
        running = self._context.attempts.of(stage)
        if len(running) != _PLACES[stage]:
            return len(running) < _PLACES[stage]
        return self._is_short(job) and not any(
            self._is_short(attempt.job.id) for attempt in running
        )

    def is_full(self, stage: Stage) -> bool:
        """Whether there is no place for any file, short or long."""
        running = self._context.attempts.of(stage)
        if len(running) != _PLACES[stage]:
            return len(running) > _PLACES[stage]
        return any(self._is_short(attempt.job.id) for attempt in running)

    def has_publisher(self, now: float) -> bool:
        """Whether another file can be rendered. Usually, the one that is will be done at once."""
        running = self._context.attempts.of(Stage.PUBLISH)
        is_brief = any(now - attempt.begun < _RENDERED_SOON for attempt in running)
        return len(running) < _PUBLISHERS and not is_brief

    def _is_short(self, job: int) -> bool:
        return self._audio_bytes(job) < _SHORT_BYTES

    def _audio_bytes(self, job: int) -> int:
        """Of its decoded audio; 0 if that is not there."""
        with contextlib.suppress(OSError):
            # Asked of all that is under way in each turn: without a Path, for its speed.
            return os.stat(f"{self._context.jobs}/{job}/{artefacts.AUDIO}").st_size  # noqa: PTH116
        return 0


def is_short(job: Job) -> bool:
    """Whether PREPARE is done with it soon, as far as its size tells."""
    return job.estimated_seconds < _SHORT


@cache
def _preparations() -> int:
    """How many recordings are decoded at a time: one a core but one, as memory allows."""
    by_memory = psutil.virtual_memory().total // _PREPARE_BYTES
    return max(2, min((os.cpu_count() or 2) - 1, int(by_memory), _MOST_PREPARATIONS))
