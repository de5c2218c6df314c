"""How fast another machine is, by what it did: running means in which the last result is a half."""

from __future__ import annotations

import time

_MEASURED = 1_000_000  # bytes: less tells nothing of the network


class Speed:
    """Of one machine. Called from one thread at a time; times are monotonic."""

    def __init__(self) -> None:
        self.audio = 0.0  # seconds of audio a second, over all that it works on; 0: not known yet
        self.network = 0  # bytes a second; 0: not known yet
        self._last_result = 0.0

    def on_result(self, audio_seconds: float, at_work: float | None) -> None:
        """A recording is done that was there, whole, at `at_work`."""
        now = time.monotonic()
        busy = now - max(at_work or now, self._last_result)
        self._last_result = now
        if audio_seconds > 0 and busy > 0:
            self.audio = round(_mean(self.audio, audio_seconds / busy), 2)

    def on_sent(self, sent: int, began: float) -> None:
        """So many bytes of a recording have gone there since `began`."""
        seconds = time.monotonic() - began
        if sent > _MEASURED and seconds > 0:
            self.network = int(_mean(self.network, sent / seconds))


def _mean(before: float, now: float) -> float:
    return (before + now) / 2 if before else now
