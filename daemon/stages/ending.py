"""Whether a file ends within one of its own parts: then the rest of it is missing.

It is asked of containers that do not say how long a recording is until it is finished.
"""

from __future__ import annotations

import struct

from daemon.stages.boxes import boxes
from daemon.stages.section import Section

_LONGEST_PAGE = 27 + 255 + 255 * 255  # bytes of an Ogg page
_SLACK = 1024  # bytes by which a program may have miscounted its own file


def ends_within(file: Section) -> str:
    """What the file ends in the middle of, for a person; empty if of nothing."""
    head = file.peek(0, 12)
    if head[:4] == b"OggS":
        return "a page" if _ogg(file) else ""
    if head[4:8] == b"ftyp":
        return "a box" if _mp4(file) else ""
    if head[:4] == b"RIFF" and head[8:] == b"AVI ":
        (length,) = struct.unpack("<I", head[4:8])
        return "a chunk" if length + 8 > file.size + _SLACK else ""
    return ""


def _ogg(file: Section) -> bool:
    start = max(file.size - _LONGEST_PAGE, 0)
    tail = file.peek(start, _LONGEST_PAGE)
    at = tail.rfind(b"OggS\0")
    page = tail[at : at + 27 + 255]
    if at < 0:
        return False
    if len(page) < 27 or len(page) < 27 + page[26]:
        return True
    return at + 27 + page[26] + sum(page[27 : 27 + page[26]]) > len(tail)


def _mp4(file: Section) -> bool:
    return any(at + length > file.size for at, length, _ in boxes(file))
