"""A fault of the machine pauses the queue: with a reason, burning no attempt, until it is gone."""

from __future__ import annotations

from daemon.reporting.event_log import EventLog

RETRY_SECONDS = 15.0
_TOLD = 3  # reasons of one pause: a full disk shows in every folder that lies on it


class Pause:
    """Why nothing is started at this moment, by topic, and when to try again (monotonic).

    Topics part what is checked by different acts: "inbox" by scans, "work" by stages and delivery,
    "machine" (its disk, its battery) before each start.
    """

    def __init__(self, event_log: EventLog, retry_seconds: float = RETRY_SECONDS) -> None:
        self._event_log = event_log
        self.retry_seconds = retry_seconds
        self._reasons: dict[str, str] = {}
        self._told: dict[str, set[str]] = {}  # the reasons of each topic since its pause began
        self.until = 0.0

    @property
    def reason(self) -> str:
        """Why the queue is paused; "" if it is not."""
        return "; ".join(self._reasons.values())

    def holds(self, now: float) -> bool:
        return bool(self._reasons) and now < self.until

    def begin(self, topic: str, reason: str, now: float) -> None:
        """Pause, and say so once, however often the fault repeats itself, or several take turns."""
        self.until = now + self.retry_seconds
        self._reasons[topic] = reason
        told = self._told.setdefault(topic, set())
        if reason not in told and len(told) < _TOLD:
            told.add(reason)
            self._event_log.warning("paused", f"paused: {reason}", reason=reason)

    def retry_now(self) -> None:
        """What caused the pause may be gone: do not wait for the next try."""
        self.until = 0.0

    def end(self, topic: str) -> None:
        """Something that the fault prevented has worked."""
        self._told.pop(topic, None)
        if reason := self._reasons.pop(topic, None):
            self._event_log.info("resumed", f"resumed; it was: {reason}")
