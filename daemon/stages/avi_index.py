"""Times by the index of an AVI file.

Its packets have no time stamps: FFmpeg counts them, so that whatever follows a damaged stretch
would come as much too early. The index at the file's end says where each of them belongs.
"""

from __future__ import annotations

from typing import Any

_HEADER = 8  # bytes of a chunk before its content; the index points at the header


class AviIndex:
    """How far FFmpeg's times of a stream are off."""

    def __init__(self, stream: Any) -> None:  # noqa: ANN401 - PyAV has no types here
        self._counted = {entry.pos + _HEADER: entry.timestamp for entry in stream.index_entries}
        self._unit: int | None = None  # of the index, in those of the stamps: bytes of a sample
        self._lacking = 0.0  # units of the stamps

    def lost_before(self, packet: Any) -> float:  # noqa: ANN401
        """Seconds that `packet` belongs later than its stamp says."""
        counted = self._counted.get(packet.pos)
        if counted is not None and packet.pts:
            self._unit = self._unit or max(round(counted / packet.pts), 1)
            self._lacking = counted / self._unit - packet.pts
        return float(self._lacking * (packet.time_base or 0))
