"""Frames over a pipe: one line of JSON, then as many raw bytes as its `size` announces.

    owner → lender   {"hello": 1, "version": V, "settings": {…}}
                     {"offer": N, "key": K, "suffix": ".m4a", "bytes": B, "profile": {…}}
                     {"data": N} + bytes          the recording goes on
                     {"whole": N, "sha256": H}    that was all of it
                     {"recall": N}                it is not wanted any more
                     {"beat": 1}
    lender → owner   {"hello": 1, "version": V, "places": P, "models": [M], "aligners": [L],
                      "free_bytes": B}   or   {"refused": "why"}
                     {"have": N, "bytes": B}      so much of the recording is here: send the rest
                     {"at_work": N}               the recording is here, whole
                     {"progress": N, "done": S, "total": S}
                     {"file": N, "name": F} + bytes   an artefact, in pieces
                     {"result": N, "report": {…}} or {"result": N, "kind": K, "message": M}
                     {"leaving": "why"}           what is not done is given back
                     {"beat": 1}
N is the attempt's nonce. Both sides beat every BEAT_SECONDS, and give the other up after
SILENCE_SECONDS without a frame.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import IO

from daemon.domain.transcript import Json

PROTOCOL = 1
BEAT_SECONDS = 5.0
SILENCE_SECONDS = 20.0
BLOCK = 1 << 20  # bytes of a recording or an artefact in one frame
_MAX_HEAD = 1 << 18  # bytes of a frame's line: a profile has at most 64 KiB


class WireError(Exception):
    """What came is no frame: the other side is not dropscribe, or not well."""


def encode(head: Json, data: bytes = b"") -> bytes:
    return json.dumps(head | {"size": len(data)} if data else head).encode() + b"\n" + data


def frames(stream: IO[bytes]) -> Iterator[tuple[Json, bytes]]:
    """The frames until the stream's end; one that is not whole at the end is dropped.

    Raises WireError for what is no frame.
    """
    while line := stream.readline(_MAX_HEAD):
        try:
            head = json.loads(line)
            size = int(head.get("size", 0))
        except (ValueError, TypeError, AttributeError) as error:
            text = line[:80].decode(errors="replace").strip()
            raise WireError(f"it said {text!r}, which is not dropscribe's") from error
        if not 0 <= size <= BLOCK:
            raise WireError(f"a frame of {size} bytes")
        data = stream.read(size) if size else b""
        if len(data) < size:
            return
        yield head, data
