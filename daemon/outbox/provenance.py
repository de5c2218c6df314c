"""Where a transcript in the outbox comes from, by its own account, read with distrust.

Others may write to the outbox: what is no transcript of ours is none, whatever lies there.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from msgspec import Meta

from daemon.domain.names import with_number
from daemon.domain.validation import Count, Line, from_json
from daemon.files.recording import read_small

_MOST_NAMESAKES = 100  # transcripts of one name that are looked at
_MAX_BYTES = 500_000_000  # a transcript of a day is a tenth of that


@dataclass(frozen=True, slots=True)
class Provenance:
    """The recording that was transcribed: its name, size in bytes, and digest."""

    source: Line
    bytes: Count
    sha256: Annotated[str, Meta(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class _Transcript:
    provenance: Provenance


def read(path: Path) -> Provenance | None:
    """That of the transcript at `path`; None if no transcript is there."""
    try:
        found = from_json(_Transcript, read_small(path, _MAX_BYTES)).provenance
    except (OSError, ValueError):
        return None
    return found if Path(found.source).name == found.source else None


def stem_of_transcript(outbox: Path, stem: str, source: str, sha256: str) -> str | None:
    """`stem`, or it with a number, under which a transcript of these bytes of `source` lies."""
    for number in range(1, _MOST_NAMESAKES):
        path = outbox / with_number(stem, number, ".json")
        if not os.path.lexists(path):
            return None
        found = read(path)
        if found is not None and (found.sha256, found.source) == (sha256, source):
            return path.stem
    return None
