"""daemon.stages.ending: a file that ends within one of its own parts was cut off."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kit import beeps
from tests.kit.beeps import Sound, write
from tests.kit.decoding import decoded_file, times

_FRAGMENTS = {"movflags": "empty_moov", "frag_duration": "1000000"}
_KINDS = [
    ("a.opus", "libopus", {}),
    ("a.oga", "flac", {}),
    ("a.mp4", "aac", _FRAGMENTS),
    ("a.avi", "libmp3lame", {}),
]


@pytest.mark.parametrize(("name", "codec", "options"), _KINDS)
def test_a_file_that_was_cut_off_says_so(
    tmp_path: Path, name: str, codec: str, options: dict[str, str]
) -> None:
    path = write(tmp_path / name, Sound(beeps.beeps(8), codec), **options)
    whole, _ = decoded_file(path)
    assert (whole.warnings, whole.is_cut_off) == ((), False)
    content = path.read_bytes()
    path.write_bytes(content[: round(len(content) * 0.62)])
    cut, audio = decoded_file(path)
    assert cut.is_cut_off
    assert any("it may have been cut off" in warning for warning in cut.warnings)
    assert 0 < len(audio) < 8 * 16_000


def test_bytes_behind_an_ogg_file_are_no_cut(tmp_path: Path) -> None:
    path = write(tmp_path / "a.opus", Sound(beeps.beeps(2), "libopus"))
    path.write_bytes(path.read_bytes() + bytes(1000))
    assert not decoded_file(path)[0].is_cut_off


def test_a_track_that_begins_late_in_an_ogg_file_is_no_damage(tmp_path: Path) -> None:
    late = Sound(beeps.beeps(3, first=20), "flac", stamp=lambda seconds: seconds + 2)
    decoded, _ = decoded_file(write(tmp_path / "a.ogg", Sound(beeps.beeps(5), "flac"), late))
    assert not any("damaged" in warning for warning in decoded.warnings)


@pytest.mark.parametrize("codec", ["aac", "alac"])
def test_an_edit_list_that_begins_with_silence(tmp_path: Path, codec: str) -> None:
    """Without a picture, too: a player is silent for as long."""
    sound = Sound(beeps.beeps(3), codec, stamp=lambda seconds: seconds + 2)
    expected = {second: second + 2 for second in range(3)}
    assert times(write(tmp_path / "a.m4a", sound)) == pytest.approx(expected, abs=0.03)


def test_fragments_that_go_on_from_another_file_begin_at_0(tmp_path: Path) -> None:
    sound = Sound(beeps.beeps(3), "aac", stamp=lambda seconds: seconds + 3600)
    path = write(tmp_path / "a.mp4", sound, **_FRAGMENTS)
    assert times(path) == pytest.approx({0: 0, 1: 1, 2: 2}, abs=0.03)
