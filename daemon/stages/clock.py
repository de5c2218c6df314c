"""Where each decoded frame belongs on the file's own clock.

Containers stamp their frames with presentation times. Stamps jitter, jump over pauses, overlap,
start again where recordings were joined, and may be nonsense where the file is damaged. Nothing
here touches audio: a frame is any object that has a length in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

_TOLERANCE = 0.02  # seconds that a stamp may be off: one step of the aligner
_WITNESSES = 3  # frames in a row that must agree on a jump before it is believed
_PATIENCE = 50  # frames that disagree with each other: the stamps say nothing
_LONGEST_GAP = 3600.0  # seconds; beyond, the stamps were set anew, as where broadcasts are joined
_LONGEST_LAST_GAP = 60.0  # … where too few frames follow to bear witness
_LONGEST_OVERLAP = 1.0  # seconds; stamps that go back further were set anew

Frame = TypeVar("Frame")


@dataclass(frozen=True, slots=True)
class _Stamped(Generic[Frame]):
    frame: Frame
    seconds: float
    deviation: float  # seconds between its stamp and the end of the frame before it


@dataclass(slots=True)
class FrameClock(Generic[Frame]):
    """Gives each frame its start, in seconds since the file's start.

    Frames come out in order, some of them late: a jump is believed only when several frames agree
    on it. Where `put` gets no stamp, the frame follows the one before it.
    """

    end: float = 0.0  # where the last placed frame ends
    _shift: float = 0.0  # what is added to stamps that were set anew
    _doubtful: list[_Stamped[Frame]] = field(default_factory=list)

    def put(
        self, frame: Frame, seconds: float, stamp: float | None = None
    ) -> list[tuple[float, Frame]]:
        """Take a frame of `seconds`; return the frames that have their place now."""
        follows = self.end + sum(doubtful.seconds for doubtful in self._doubtful)
        if stamp is None:
            deviation = self._doubtful[-1].deviation if self._doubtful else 0.0
        else:
            deviation = stamp + self._shift - follows
        self._doubtful.append(_Stamped(frame, seconds, deviation))
        if abs(deviation) <= _TOLERANCE or len(self._doubtful) >= _PATIENCE:
            return self._place_all()
        witnesses = self._doubtful[-_WITNESSES:]
        if len(witnesses) == _WITNESSES and all(
            abs(witness.deviation - deviation) <= 2 * _TOLERANCE for witness in witnesses
        ):
            del self._doubtful[-_WITNESSES:]
            placed = self._place_all()
            self._jump(witnesses[0].deviation)
            self._doubtful = witnesses
            return placed + self._place_all()
        return []

    def skip(self, seconds: float) -> list[tuple[float, Frame]]:
        """Leave room for what could not be decoded; return the frames that were still in doubt."""
        placed = self._place_all()
        self.end += seconds
        return placed

    def flush(self) -> list[tuple[float, Frame]]:
        """The end of the stream: the frames still in doubt follow, or jump if all of them do."""
        deviations = [doubtful.deviation for doubtful in self._doubtful]
        if deviations and min(deviations) > 0 and max(deviations) <= _LONGEST_LAST_GAP:
            self._jump(deviations[0])
        return self._place_all()

    def _jump(self, deviation: float) -> None:
        """Move on by `deviation` seconds, or take it for a new beginning of the stamps."""
        if -_LONGEST_OVERLAP <= deviation <= _LONGEST_GAP:
            self.end += deviation
        else:
            self._shift -= deviation

    def _place_all(self) -> list[tuple[float, Frame]]:
        placed: list[tuple[float, Frame]] = []
        for doubtful in self._doubtful:
            placed.append((self.end, doubtful.frame))
            self.end += doubtful.seconds
        self._doubtful = []
        return placed
