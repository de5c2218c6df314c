"""The boxes that an MP4 or QuickTime file consists of, at its top level."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from daemon.stages.section import Section


def boxes(file: Section) -> Iterator[tuple[int, int, bytes]]:
    """(offset, length, name) of each, until one that makes no sense; the last may be cut off."""
    at = 0
    while at + 8 <= file.size:
        length, name = struct.unpack(">I4s", file.peek(at, 8))
        if length == 1 and at + 16 <= file.size:
            (length,) = struct.unpack(">Q", file.peek(at + 8, 8))
        elif length == 0:  # until the end
            length = file.size - at
        if length < 8:
            return
        yield at, length, name
        at += length
