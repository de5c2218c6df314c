"""Streams without a container (MP3, ADTS, AC-3, DTS): no time stamps, so lost bytes tell lost time.

FFmpeg counts the packets of such a stream. Ten damaged seconds may be one packet of many bytes,
and whatever follows would come ten seconds early.
"""

from __future__ import annotations

from collections import deque

from daemon.stages.section import Section

# FFmpeg's names, and the most bytes that a frame has.
FORMATS = {"mp3": 2881, "aac": 8191, "ac3": 3840, "eac3": 4096, "dts": 16384}

_WINDOW = 500  # packets whose mean size stands for the bit rate: about ten seconds
_FRAMES_OF_A_TAG = 2  # behind a tag: its padding, and a frame that holds the table of contents
_MARK = 64  # bytes by which a packet is found in the file
_FARTHEST = 1 << 24  # bytes that damage or a tag with pictures may take
_ID3_HEADER = 10  # bytes


class LostTime:
    """How long the audio was that could not be decoded, from its size in bytes."""

    def __init__(self, file: Section, largest: int) -> None:
        self._file = file
        self._largest = largest  # bytes of a frame
        self._sizes: deque[int] = deque(maxlen=_WINDOW)
        self._bytes = 0  # in a row that could not be decoded
        self._packets = 0  # … and how many packets that were
        self._surplus = 0  # bytes of the last packet that are no frame
        self._tag = 0  # bytes of that row that are an ID3 tag, not audio
        self._end = 0  # offset in the file at which the last packet ends

    def arrived(self, data: bytes) -> None:
        """A packet came; what FFmpeg passed over in search of it is lost, too.

        The positions that FFmpeg gives are sums of the packets' sizes, so the file is looked at.
        """
        mark = data[:_MARK]
        if self._file.peek(self._end, len(mark)) != mark:
            ahead = self._file.peek(self._end, _FARTHEST)
            passed_over = max(ahead.find(mark), 0)
            if self._sizes:  # before the first packet there are tags
                self._bytes += max(passed_over - tag_size(ahead), 0)
            self._end += passed_over
        self._end += len(data)
        more = len(data) - tag_size(data) - self._mean(len(data))
        self._surplus = round(more) if len(data) > self._largest else 0

    def _mean(self, otherwise: float) -> float:
        """Bytes of a packet, as they came lately."""
        return sum(self._sizes) / len(self._sizes) if self._sizes else float(otherwise)

    def failed(self, data: bytes) -> None:
        """A packet that could not be decoded."""
        if self._bytes == 0:
            self._tag = tag_size(data)
        self._bytes += len(data)
        self._packets += 1
        self._surplus = 0

    def decoded(self, size: int, seconds: float) -> float:
        """A packet of `size` bytes that gave `seconds` of audio.

        Returns how many seconds were lost before it, in whole frames.
        """
        mean = self._mean(size)
        lost_bytes = self._bytes - self._tag + self._surplus
        frames = round(max(lost_bytes, 0) / max(mean, 1.0))
        if frames <= 2 * self._packets:  # frames differ in size: these were one each
            frames = self._packets
        if self._tag and frames <= _FRAMES_OF_A_TAG:
            frames = 0
        lost = frames * seconds
        self._sizes.append(size if self._surplus <= 0 else round(mean))
        self._bytes = self._tag = self._packets = self._surplus = 0
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


def mp3_seconds(file: Section) -> float | None:
    """How long an MP3 file says it is, in its Xing or Info frame; None if it has none."""
    start = file.peek(0, _ID3_HEADER)
    head = file.peek(tag_size(start) if start.startswith(b"ID3") else 0, 4096)
    at = head.find(b"\xff")
    if at < 0 or len(head) < at + 200 or head[at + 1] & 0xE6 != 0xE2:  # layer III
        return None
    version, rate_index = head[at + 1] >> 3 & 3, head[at + 2] >> 2 & 3
    if version == 1 or rate_index == 3:
        return None
    rate = (44_100, 48_000, 32_000)[rate_index] >> {3: 0, 2: 1, 0: 2}[version]
    samples, mono = (1152 if version == 3 else 576), head[at + 3] >> 6 == 3
    side = (17 if mono else 32) if version == 3 else (9 if mono else 17)
    mark = at + 4 + side
    if head[mark : mark + 4] not in (b"Xing", b"Info") or not head[mark + 7] & 1:
        return None
    frames = int.from_bytes(head[mark + 8 : mark + 12], "big")
    return frames * samples / rate
