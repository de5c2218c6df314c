"""Files that hold several recordings, one behind another, as `cat` and radio recorders join them.

MP3, ADTS, MPEG and Matroska go on by themselves where the next file begins. In the other containers
FFmpeg ends with the first, or takes the next one's sound for something else.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterator
from io import BufferedReader
from itertools import pairwise

from daemon.stages.boxes import boxes
from daemon.stages.elementary import tag_size
from daemon.stages.headers import chunks
from daemon.stages.section import Section

_MANY = 1000  # recordings in one file
_BLOCK = 1 << 20  # bytes searched at a time
_LONGEST = 64  # bytes of a beginning that is searched for
_OGG_FIRST = rb"OggS\x00\x02\x00{8}"  # a page that begins a stream

_WITH_BIT_3 = b"".join(re.escape(bytes([byte])) for byte in range(256) if byte & 8)

# How such files begin, in so many bytes that chance does not make them.
_BEGINNINGS = {
    b"fLaC": rb"fLaC\x00{3}\x22",
    b"FLV\1": rb"FLV\x01[\x00\x01\x04\x05]\x00{3}\x09\x00{4}",
    b"caff": rb"caff\x00\x01\x00\x00desc\x00{7}\x20",
    b"TTA1": rb"TTA1[\x01\x02]\x00[\x01-\x10]\x00[\x08\x10\x18\x20]\x00",
    b"Crea": rb"Creative Voice File\x1a\x1a\x00",
    b"#!AM": rb"#!AMR(?:-WB)?\n",
    # A WavPack block that begins at sample 0, the first of those for its channels.
    b"wvpk": rb"wvpk.{4}[\x02-\x10]\x04.{6}\x00{4}.{5}[" + _WITH_BIT_3 + rb"]",
    b"riff": re.escape(bytes.fromhex("726966662e91cf11a5d628db04c10000")),  # W64
    b"\x30\x26\xb2\x75": re.escape(bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c")),  # ASF
}
_WAVE = frozenset({b"RIFF", b"RF64", b"BW64"})
_AIFF = frozenset({b"AIFF", b"AIFC"})
_UNTAGGED = _WAVE | {b"FORM", b"OggS", b"caff"}  # FFmpeg does not look for these behind a tag


def recordings(file: BufferedReader) -> tuple[Section, ...]:
    """The recordings in `file`, in order; one in almost every file."""
    begin = _behind_tag(file)
    whole = Section(file, begin)
    try:
        borders = [begin + border for border in _borders(whole)][: _MANY - 1]
    except struct.error:  # it ends within a header
        borders = []
    edges = [begin, *borders, begin + whole.size]
    return tuple(Section(file, start, end) for start, end in pairwise(edges))


def _behind_tag(file: BufferedReader) -> int:
    """Where a file starts that has an ID3 tag before it, though its kind has none."""
    whole = Section(file)
    behind = tag_size(head) if (head := whole.peek(0, 10)).startswith(b"ID3") else 0
    return behind if behind and whole.peek(behind, 4) in _UNTAGGED else 0


def _borders(whole: Section) -> Iterator[int]:
    """Offsets at which another recording begins."""
    head = whole.peek(0, 12)
    if head[:4] in _WAVE and head[8:] == b"WAVE":
        yield from _among_chunks(whole, "<", _is_wave)
    elif head[:4] == b"FORM" and head[8:] in _AIFF:
        yield from _among_chunks(whole, ">", _is_aiff)
    elif head[4:8] == b"ftyp":
        yield from _among_boxes(whole)
    elif head[:4] == b"OggS":
        yield from _ogg_chains(whole)
    elif pattern := _BEGINNINGS.get(head[:4]):
        yield from (at for at in _found(whole, pattern) if at > 0)


def _is_wave(head: bytes) -> bool:
    return head[:4] in _WAVE and head[8:] == b"WAVE"


def _is_aiff(head: bytes) -> bool:
    return head[:4] == b"FORM" and head[8:] in _AIFF


def _among_chunks(whole: Section, order: str, begins: Callable[[bytes], bool]) -> Iterator[int]:
    """Where a file begins at the place of a chunk; perhaps without the padding that is due."""
    start: int | None = 0
    while start is not None:
        ends = (at + length for _, at, length in chunks(whole, start + 12, whole.size, order))
        places = (place for end in ends for place in (end, end + 1))
        start = next((place for place in places if begins(whole.peek(place, 12))), None)
        if start is not None:
            yield start


def _among_boxes(whole: Section) -> Iterator[int]:
    """Where an MP4 or QuickTime file begins, behind one that is complete."""
    complete = False
    for at, _, name in boxes(whole):
        if name == b"ftyp" and complete:
            yield at
            complete = False
        complete = complete or name == b"moov"


def _ogg_chains(whole: Section) -> Iterator[int]:
    """Where all streams of an Ogg file begin anew: its first pages come in a row."""
    row_ends = 0
    for at in _found(whole, _OGG_FIRST):
        page = whole.peek(at, 27 + 255)
        if at not in (0, row_ends):
            yield at
        if len(page) < 27:
            return
        row_ends = at + 27 + page[26] + sum(page[27 : 27 + page[26]])


def _found(whole: Section, pattern: bytes) -> Iterator[int]:
    """Offsets of all that `pattern` matches."""
    beginning = re.compile(pattern, re.DOTALL)
    tail, at = b"", 0
    while at < whole.size:
        block = tail + whole.peek(at, _BLOCK)
        first = at - len(tail)
        at += _BLOCK
        for match in beginning.finditer(block):
            if match.end() > len(tail):  # else it was found before
                yield first + match.start()
        tail = block[-_LONGEST:]
