"""Files that stand still and yet are not whole: half copied, still open, still in iCloud."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path

from daemon.domain.job import Candidate
from daemon.domain.names import printable
from daemon.inbox.finder_info import Busy, Dataless, Readiness, Ready, readiness
from daemon.inbox.icloud import ICloudDownloads
from daemon.inbox.unfinished import UnfinishedFiles
from daemon.reporting.event_log import EventLog

_SOONEST, _LATEST = 2.0, 30.0  # seconds between two looks at a file that is open


class CompletenessCheck:
    """How long a candidate must be left alone, on top of having settled."""

    def __init__(
        self,
        event_log: EventLog,
        downloads: ICloudDownloads,
        clock: Callable[[], float],
        look: Callable[[Path], Readiness] = lambda path: readiness(path, path.lstat()),
        writer: Callable[[Path], str | None] = lambda path: None,
        unfinished: UnfinishedFiles | None = None,
        is_finished: Callable[[Candidate, float], bool] = lambda candidate, now: False,
    ) -> None:
        self._event_log = event_log
        self._downloads = downloads
        self._clock = clock
        self._look = look
        self._writer = writer  # the program that has a file open for writing
        self._unfinished = unfinished
        self.is_finished = is_finished  # whether a file need not stand still first
        self._reasons: dict[Path, str] = {}

    @property
    def waiting(self) -> Mapping[Path, str]:
        """The files that wait for somebody else, and why."""
        return self._reasons

    def keep_only(self, paths: Collection[Path]) -> None:
        """What is not among `paths` does not wait any more."""
        for path in self._reasons.keys() - set(paths):
            del self._reasons[path]

    def __call__(self, candidate: Candidate, still: float = 0.0) -> float:
        """Seconds of stillness to wait for; infinity while its content is not here.

        `still` is for how many seconds it has been still.
        """
        if candidate.refusal is not None:
            return 0.0
        try:
            found = self._look(candidate.path)
        except FileNotFoundError:  # it left since the scan: the next one will see that
            return 0.0
        match found:
            case Busy(reason, patience):
                self._say(candidate.path, reason)
                return patience
            case Dataless(reason):
                self._say(candidate.path, reason)
                self._downloads.ask(candidate.path, self._clock())
                return math.inf
            case Ready():
                return self._until_written(candidate.path, still)

    def _until_written(self, path: Path, still: float) -> float:
        writer = self._writer(path) if still > 0 else None
        if writer is not None:
            self._say(path, f"{writer} still has it open for writing")
            return still + min(max(_SOONEST, still / 4), _LATEST)
        needed = self._unfinished.stillness(path) if self._unfinished is not None else 0.0
        if needed > still:
            self._say(path, "it cannot be read yet, or looks cut off: waiting for the rest")
        else:
            self._reasons.pop(path, None)
        return needed

    def _say(self, path: Path, reason: str) -> None:
        if self._reasons.get(path) != reason:
            self._reasons[path] = reason
            self._event_log.info("waiting", f"{printable(path.name)}: {reason}", reason=reason)
