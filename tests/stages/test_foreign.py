"""daemon.stages.foreign: what a file is that cannot be read, and what to do about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.stages.decode import UnreadableError
from tests.kit import beeps
from tests.kit.beeps import Sound, write
from tests.kit.decoding import decoded_file


@pytest.mark.parametrize(
    ("content", "reason", "final"),
    [
        (b"\xef\xbb\xbf\n<!DOCTYPE html><html><body>404</body></html>", "web page", True),
        (b"<html><head></head></html>", "web page", True),
        (b"%PDF-1.7\n" + b"x" * 5000, "PDF", True),
        (b"PK\3\4" + bytes(3000), "ZIP", True),
        (b"\xff\xd8\xff\xe0" + b"JFIF" * 500, "picture", True),
        (b"#EXTM3U\n/etc/passwd\n", "playlist", True),
        (bytes(100_000), "zeros", False),
        (b"no audio at all\n" * 500, "not an audio or video file", False),
        (b"x", "not an audio or video file", False),
    ],
)
def test_the_reason_says_what_it_is(
    tmp_path: Path, content: bytes, reason: str, final: bool
) -> None:
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    with pytest.raises(UnreadableError, match=reason) as caught:
        decoded_file(path)
    assert caught.value.is_final == final


@pytest.mark.parametrize("name", ["a.m4a", "a.mov", "a.mp4"])
def test_a_recorder_that_was_stopped_before_it_wrote_the_index(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, Sound(beeps.beeps(5), "aac"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UnreadableError, match=r"index \(moov\) is missing") as caught:
        decoded_file(path)
    assert not caught.value.is_final
