"""What a recording says of itself: when it was made, its title, its maker, its chapters."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from daemon.handoff.artefacts import Chapter

# In this order: with a time zone first. The names are FFmpeg's.
_DATES = (
    "com.apple.quicktime.creationdate",
    "creation_time",
    "date_recorded",
    "recording_time",
    "tdrc",
    "tdor",
    "icrd",
    "date",
    "year",
)
_DATE = re.compile(
    r"(\d{4}-\d\d-\d\d)(?:[T ](\d\d:\d\d(?::\d\d)?)(?:\.\d+)?\s*(Z|[+-]\d\d:?\d\d)?)?$"
)
_TIME = re.compile(r"\d\d:\d\d:\d\d$")
_UNSET = ("1904-01-01", "1970-01-01", "0000-")  # what clocks say that were never set
_LONGEST = 1000  # characters of a title
_MOST_CHAPTERS = 1000


@dataclass(frozen=True, slots=True)
class Metadata:
    """`recorded_at` is ISO 8601, with its zone if the file names one; texts are None if absent."""

    recorded_at: str | None
    title: str | None
    artist: str | None
    album: str | None
    chapters: tuple[Chapter, ...]


def metadata_of(container: Any, stream: Any, start: float) -> Metadata:  # noqa: ANN401 - PyAV's
    """From a container and its track; Ogg keeps its tags with the track. `start` is its zero."""
    tags = {
        key: value.strip()
        for source in (stream.metadata, container.metadata)
        for key, value in tags_of(source).items()
    }
    return Metadata(
        recorded_at=recorded_at(tags),
        title=_text(tags, "title"),
        artist=_text(tags, "artist") or _text(tags, "album_artist") or _text(tags, "author"),
        album=_text(tags, "album"),
        chapters=tuple(_chapters(container, start)),
    )


def tags_of(metadata: Mapping[str, str]) -> dict[str, str]:
    """A container's or a track's tags by their names in lower case.

    What was not UTF-8 in the file is a surrogate in PyAV's text, and U+FFFD in ours.
    """
    return {key.lower(): _encodable(text) for key, text in metadata.items()}


def _encodable(text: str) -> str:
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def recorded_at(tags: Mapping[str, str]) -> str | None:
    """The moment of the recording in ISO 8601, a date alone if no more is known; None if unset."""
    day = tags.get("date", "")
    if _TIME.match(tags.get("creation_time", "")) and _DATE.match(day):  # as in Broadcast WAV
        tags = {**tags, "date": f"{day[:10]}T{tags['creation_time']}"}
    for name in _DATES:
        found = _DATE.match(tags.get(name, ""))
        if found and not tags[name].startswith(_UNSET):
            date, time, zone = found.groups()
            if time is None:
                return date
            seconds = time if len(time) == 8 else f"{time}:00"
            return f"{date}T{seconds}{_zone(zone)}"
    return None


def _zone(zone: str | None) -> str:
    if zone is None or zone == "Z" or ":" in zone:
        return zone or ""
    return f"{zone[:3]}:{zone[3:]}"


def _text(tags: Mapping[str, str], name: str) -> str | None:
    text = "".join(char for char in tags.get(name, "") if char.isprintable())[:_LONGEST]
    return text or None


def _chapters(container: Any, start: float) -> Iterator[Chapter]:  # noqa: ANN401 - PyAV's
    for chapter in container.chapters()[:_MOST_CHAPTERS]:
        begin, end = (
            float(chapter[key] * chapter["time_base"]) - start for key in ("start", "end")
        )
        title = _text(tags_of(chapter["metadata"]), "title")
        if 0 <= begin <= end < 1e7:
            yield Chapter(round(begin, 3), round(end, 3), title or "")
