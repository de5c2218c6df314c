"""Headers that give a wrong length: what the file holds counts, not what its header says.

A recorder that lost power, or that still counted in 32 bits, leaves a length of zero or of an
earlier moment. FFmpeg would stop there. PCM has no frames to look for, so such a file is told by
what follows the audio that its header admits to: other chunks, or more audio.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from daemon.stages.section import Section

_UNKNOWN = 0x7FFFFFFF  # and more: written by programs that could not go back to fill it in
_NO_SIZE = b"\xff\xff\xff\xff"
_W64_RIFF = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00"
_W64_DATA = b"data\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_W64_FORMAT = b"fmt \xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
_PCM, _EXTENSIBLE = 1, 0xFFFE
_PLACES = 16  # in a file, where samples are looked at
_LARGEST = 1 << 50  # bytes of a file; a larger number is damage
_MANY = 1000  # chunks; more are damage


@dataclass(frozen=True, slots=True)
class Header:
    """What a look at the header gave.

    `patches` are bytes, by offset, to be read in place of the file's own. `seconds` is how long
    the audio is by the header, where that is more than the file holds.
    """

    patches: Mapping[int, bytes] = field(default_factory=dict)
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class _Data:
    """The audio of a PCM file, in bytes, by its header."""

    start: int
    size: int
    rate: int  # bytes a second; 0 if unknown


def examine(file: Section) -> Header:
    """Compare what the header of a WAV, RF64, W64, AIFF, AU or CAF file says with its size."""
    size = file.size
    start = file.peek(0, 40)
    try:
        match start[:4], start[8:12]:
            case ((b"RIFF" | b"RF64" | b"BW64"), b"WAVE"):
                return _riff(file, size)
            case b"FORM", (b"AIFF" | b"AIFC"):
                return _aiff(file, size)
            case b".snd", _:
                return _au(start, size)
            case b"caff", _:
                return _caf(file, size)
            case _ if start[:16] == _W64_RIFF:
                return _w64(file, size)
    except (struct.error, OverflowError, ValueError):  # it ends within its header, or is nonsense
        pass
    return Header()


def riff_chunk(file: Section, wanted: bytes, longest: int) -> bytes:
    """The content of a chunk of a WAV or RF64 file, at most `longest` bytes; empty without it."""
    size = file.size
    try:
        if _read(file, 0, 12)[8:] != b"WAVE":
            return b""
        for name, at, length in chunks(file, 12, size, "<"):
            if name == wanted:
                return file.peek(at, min(length, longest))
    except struct.error:  # it ends within a chunk's header
        pass
    return b""


def _riff(file: Section, size: int) -> Header:
    rate, long_size, long_at, described = 0, 0, None, 0
    for name, at, length in chunks(file, 12, size, "<"):
        if name == b"fmt ":
            (rate,) = struct.unpack("<I", _read(file, at + 8, 4))
            described = at
        elif name == b"ds64":
            long_at = at + 8
            (long_size,) = struct.unpack("<Q", _read(file, long_at, 8))
        elif name == b"data":
            if long_at is not None and length == 0xFFFFFFFF:
                rest = struct.pack("<Q", size - at)
                header = _compared(file, size, _Data(at, long_size, rate), {long_at: rest})
            elif length == 0 or length >= _UNKNOWN:
                header = Header({at - 4: _NO_SIZE})
            else:
                header = _compared(file, size, _Data(at, length, rate), {at - 4: _NO_SIZE})
            widths = _widths(file, described, at) if described else {}
            return replace(header, patches={**header.patches, **widths})
    return Header()


def _widths(file: Section, described: int, data: int) -> Mapping[int, bytes]:
    """FFmpeg takes how many bits are used of a sample for how many it has.

    `described` and `data` are where the content of those chunks begins.
    """
    form, channels, _, _, block, bits = struct.unpack("<HHIIHH", _read(file, described, 16))
    width = block // max(channels, 1) * 8
    whole = struct.pack("<H", width)
    if width not in (8, 16, 24, 32):
        return {}
    if form == _EXTENSIBLE:
        used, _, subformat = struct.unpack("<HIH", _read(file, described + 18, 8))
        wider = subformat == _PCM and (used or bits) != width
        return {described + 14: whole, described + 18: whole} if wider else {}
    if form != _PCM or bits == width:
        return {}
    perhaps_floats = (width, bits) == (32, 24)
    return {} if perhaps_floats and not _are_integers(file, data) else {described + 14: whole}


def _are_integers(file: Section, data: int) -> bool:
    """Whether samples of 24 bits in 32 are that, and not floats, as Audition writes them."""
    apart = max((file.size - data) // _PLACES // 4 * 4, 4)
    looked_at = b"".join(file.peek(data + place * apart, 4096) for place in range(_PLACES))
    return any(looked_at) and not any(looked_at[::4])  # their lowest eight bits


def _aiff(file: Section, size: int) -> Header:
    rate = 0
    for name, at, length in chunks(file, 12, size, ">"):
        if name == b"COMM":
            channels, _, bits = struct.unpack(">HIH", _read(file, at, 8))
            exponent, mantissa = struct.unpack(">HQ", _read(file, at + 8, 10))
            hertz = mantissa * 2.0 ** ((exponent & 0x7FFF) - 16383 - 63)
            rate = int(channels * (bits + 7) // 8 * min(hertz, 1e7))
        elif name == b"SSND":
            rest = struct.pack(">I", min(size - at, 0xFFFFFFFF))
            return _compared(file, size, _Data(at, length, rate), {at - 4: rest})
    return Header()


def _au(start: bytes, size: int) -> Header:
    offset, length, _, rate, channels = struct.unpack(">5I", start[4:24])
    if offset + length < size and length < _UNKNOWN:
        return Header({8: _NO_SIZE})
    lacking = length < _UNKNOWN and rate * channels > 0 and offset + length > size
    return Header(seconds=length / (rate * channels * 2) if lacking else None)


def _caf(file: Section, size: int) -> Header:
    rate, at = 0, 8
    for _ in range(_MANY):
        name, length = struct.unpack(">4sq", _read(file, at, 12))
        at += 12
        if name == b"desc":
            hertz, form, _, packet, frames = struct.unpack(">d4sIII", _read(file, at, 24))
            if form != b"lpcm" or frames == 0:
                return Header()
            rate = int(min(max(hertz, 0), 1e7) * packet / frames)
        elif name == b"data":
            unknown = struct.pack(">q", -1)
            if length < 0:
                return Header()
            return _compared(file, size, _Data(at, length, rate), {at - 8: unknown})
        at += max(length, 0)
    return Header()


def _w64(file: Section, size: int) -> Header:
    rate, at = 0, 40
    for _ in range(_MANY):
        name, length = struct.unpack("<16sQ", _read(file, at, 24))
        if name == _W64_FORMAT:
            (rate,) = struct.unpack("<I", _read(file, at + 32, 4))
        elif name == _W64_DATA:
            rest = struct.pack("<Q", size - at)
            whole = struct.pack("<Q", size)  # FFmpeg refuses a file of size zero
            return _compared(
                file, size, _Data(at + 24, length - 24, rate), {16: whole, at + 16: rest}
            )
        at += (max(length, 24) + 7) // 8 * 8
    return Header()


def _compared(file: Section, size: int, data: _Data, until_the_end: Mapping[int, bytes]) -> Header:
    """What to make of audio whose header says `data`, in a file of `size` bytes."""
    end = data.start + max(data.size, 0)
    if end > size:
        believable = 0 < data.size <= _LARGEST and data.rate
        return Header(seconds=data.size / data.rate if believable else None)
    unclaimed = size - end
    if unclaimed <= data.rate or _is_chunk(file.peek(end, 9), unclaimed):  # less than a second
        return Header()
    return Header(until_the_end)


def _is_chunk(peeked: bytes, rest: int) -> bool:
    """Whether another chunk begins here, after a byte of padding perhaps, and not audio."""
    for start in (0, 1):
        name, length = peeked[start : start + 4], peeked[start + 4 : start + 8]
        if len(length) == 4 and all(32 <= byte < 127 for byte in name):
            sizes = struct.unpack("<I", length)[0], struct.unpack(">I", length)[0]
            if min(sizes) <= rest:
                return True
    return False


def chunks(file: Section, at: int, size: int, order: str) -> Iterator[tuple[bytes, int, int]]:
    """Name, offset of the content and length of each chunk of a RIFF or IFF file."""
    for _ in range(_MANY):
        if at + 8 > size:
            return
        name, length = struct.unpack(f"{order}4sI", _read(file, at, 8))
        yield name, at + 8, length
        at += 8 + length + length % 2


def _read(file: Section, at: int, length: int) -> bytes:
    """Exactly `length` bytes; struct.error where the file ends before."""
    found = file.peek(at, length)
    if len(found) < length:
        raise struct.error("the file ends here")
    return found
