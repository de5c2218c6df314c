"""What a field recorder calls its channels: the iXML chunk of a WAV file.

Source: the iXML specification, 2.10 (www.gallery.co.uk/ixml): TRACK_LIST, TRACK, INTERLEAVE_INDEX,
NAME. The text is looked through with patterns, not parsed: it comes from anybody.
"""

from __future__ import annotations

import html
import re
from collections.abc import Mapping

from daemon.domain.names import printable
from daemon.stages.headers import riff_chunk
from daemon.stages.section import Section

_LONGEST = 1_000_000  # bytes of such a chunk
_NAME = 100  # characters
_TRACK = re.compile(r"<TRACK>(.*?)</TRACK>", re.DOTALL)
_FIELD = re.compile(r"<(INTERLEAVE_INDEX|NAME)>([^<]*)</")


def track_names(file: Section) -> Mapping[int, str]:
    """The names of the channels by their indices, from 0; as many as are given."""
    found: dict[int, str] = {}
    for track in _TRACK.findall(riff_chunk(file, b"iXML", _LONGEST).decode("utf-8", "replace")):
        fields = dict(_FIELD.findall(track))
        name = printable(" ".join(html.unescape(fields.get("NAME", "")).split()))[:_NAME]
        index = fields.get("INTERLEAVE_INDEX", "").strip()
        if name and index.isdecimal() and len(index) < 4:
            found[int(index) - 1] = name
    return found
