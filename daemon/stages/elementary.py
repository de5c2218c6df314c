"""Streams without a container (MP3, ADTS, AC-3): no time stamps, so lost bytes tell lost time.

FFmpeg counts the packets of such a stream. Ten damaged seconds may be one packet of many bytes,
and whatever follows would come ten seconds early.
"""

from __future__ import annotations

from collections import deque

FORMATS = frozenset({"mp3", "aac", "ac3", "eac3"})  # FFmpeg's names

_WINDOW = 500  # packets whose mean size stands for the bit rate: about ten seconds
_ID3_HEADER = 10  # bytes


class LostTime:
    """How long the audio was that could not be decoded, from its size in bytes."""

    def __init__(self) -> None:
        self._sizes: deque[int] = deque(maxlen=_WINDOW)
        self._bytes = 0  # in a row that could not be decoded
        self._tag = 0  # bytes of that row that are an ID3 tag, not audio

    def failed(self, data: bytes) -> None:
        """A packet that could not be decoded."""
        if self._bytes == 0:
            self._tag = tag_size(data)
        self._bytes += len(data)

    def decoded(self, size: int, seconds: float) -> float:
        """A packet of `size` bytes that gave `seconds` of audio.

        Returns how many seconds were lost before it, in whole frames.
        """
        mean = sum(self._sizes) / len(self._sizes) if self._sizes else float(size)
        lost = round(max(self._bytes - self._tag, 0) / max(mean, 1.0)) * seconds
        self._bytes = self._tag = 0
        self._sizes.append(size)
        return lost

    def rest(self, seconds: float) -> float:
        """What was lost at the end of the stream, where a frame lasts `seconds`."""
        lost = self.decoded(0, seconds) if self._bytes and self._sizes else 0.0
        return lost


def tag_size(data: bytes) -> int:
    """Bytes of the ID3v2, ID3v1 or APE tag that `data` begins with; 0 if it is none.

    Joined MP3 files have tags in their middle. ID3v2's size is stored in seven bits a byte.
    """
    if data.startswith(b"ID3") and len(data) >= _ID3_HEADER:
        size = 0
        for byte in data[6:10]:
            size = size << 7 | byte & 0x7F
        return size + _ID3_HEADER
    if data.startswith(b"TAG"):
        return 128
    return len(data) if data.startswith(b"APETAGEX") else 0
