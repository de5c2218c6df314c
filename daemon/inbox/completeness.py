"""Files that stand still and yet are not whole: half copied by the Finder, or still in iCloud."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

from daemon.domain.job import Candidate
from daemon.domain.names import printable
from daemon.inbox.finder_info import Busy, Dataless, Readiness, Ready, readiness
from daemon.inbox.icloud import ICloudDownloads
from daemon.reporting.event_log import EventLog


class CompletenessCheck:
    """How long a candidate must be left alone, on top of having settled."""

    def __init__(
        self,
        event_log: EventLog,
        downloads: ICloudDownloads,
        clock: Callable[[], float],
        look: Callable[[Path], Readiness] = lambda path: readiness(path, path.lstat()),
    ) -> None:
        self._event_log = event_log
        self._downloads = downloads
        self._clock = clock
        self._look = look
        self._said: set[Path] = set()

    def __call__(self, candidate: Candidate) -> float:
        """Seconds of stillness to wait for; infinity while its content is not here."""
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
                self._said.discard(candidate.path)
                return 0.0

    def _say(self, path: Path, reason: str) -> None:
        if path not in self._said:
            self._said.add(path)
            self._event_log.info("waiting", f"{printable(path.name)}: {reason}", reason=reason)
