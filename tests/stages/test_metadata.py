"""daemon.stages.metadata: dates with their zone, titles and chapters, whatever the container."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import av
import pytest

from daemon.stages.decode import decode
from daemon.stages.metadata import metadata_of, recorded_at
from tests.kit.beeps import Sound, beeps, write


@pytest.mark.parametrize(
    ("tags", "found"),
    [
        ({"creation_time": "2026-11-27T09:30:00.000000Z"}, "2026-11-27T09:30:00Z"),
        (
            {
                "creation_time": "2026-11-27T09:30:00.000000Z",
                "com.apple.quicktime.creationdate": "2026-11-27T10:30:00+0100",
            },
            "2026-11-27T10:30:00+01:00",
        ),
        ({"date": "2026-11-27", "creation_time": "10:30:00"}, "2026-11-27T10:30:00"),
        ({"date": "2026-11-27 10:30"}, "2026-11-27T10:30:00"),
        ({"date": "2026-11-27"}, "2026-11-27"),
        ({"date": "UUUUUUUU"}, None),
        ({"creation_time": "1904-01-01T00:00:00.000000Z"}, None),
        ({"creation_time": "1970-01-01T00:00:00.000000Z", "date": "2026-11-27"}, "2026-11-27"),
        ({}, None),
    ],
)
def test_when_it_was_recorded(tags: Mapping[str, str], found: str | None) -> None:
    assert recorded_at(tags) == found


@pytest.mark.parametrize(
    ("name", "codec"),
    [("a.mp3", "libmp3lame"), ("a.opus", "libopus"), ("a.flac", "flac"), ("a.m4a", "aac")],
)
def test_title_and_artist_of_every_kind_of_tag(tmp_path: Path, name: str, codec: str) -> None:
    path = write(
        tmp_path / name,
        Sound(beeps(1), codec),
        tags={"title": "Grüße \x1b[31m", "artist": "Ada"},
    )
    with av.open(path) as container:
        found = metadata_of(container, container.streams.audio[0], 0.0)
    assert (found.title, found.artist, found.chapters) == ("Grüße [31m", "Ada", ())


def test_a_title_in_another_encoding_is_told_as_far_as_it_can_be_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", Sound(beeps(1)), tags={"title": "Cafe! No 1"})
    path.write_bytes(path.read_bytes().replace(b"Cafe! No 1", b"Caf\xe9! No 1"))
    with path.open("rb") as file:
        decoded = decode(file, tmp_path / "audio.npy", float("inf"), lambda *_: None)
    assert decoded.metadata.title == "Caf\N{REPLACEMENT CHARACTER}! No 1"


def test_chapters(tmp_path: Path) -> None:
    chapters = [("One", 0.0, 1.5), ("Two", 1.5, 3.0)]
    path = write(tmp_path / "a.mkv", Sound(beeps(3)), chapters=chapters)
    with av.open(path) as container:
        found = metadata_of(container, container.streams.audio[0], 0.0).chapters
    assert [(chapter.title, chapter.start, chapter.end) for chapter in found] == chapters
