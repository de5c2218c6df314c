"""daemon.stages.joined: recordings that lie one behind another in one file are all heard."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from daemon.stages.decode import UnreadableError
from daemon.stages.joined import recordings
from tests.kit import beeps
from tests.kit.beeps import Sound, heard, write
from tests.kit.decoding import decoded_file

_EXACT = 0.15  # seconds: each file ends with the rest of a frame


def _joined(folder: Path, name: str, codec: str, rate: int, channels: int) -> Path:
    """Two files of 4 s, the second with `rate` and `channels`."""
    first = write(folder / f"1-{name}", Sound(beeps.beeps(4, 48_000), codec, rate=48_000))
    sound = beeps.beeps(4, rate, first=4)
    second = write(
        folder / f"2-{name}", Sound(np.stack([sound] * channels).squeeze(), codec, rate=rate)
    )
    path = folder / name
    path.write_bytes(first.read_bytes() + second.read_bytes())
    return path


@pytest.mark.parametrize(("rate", "channels"), [(48_000, 1), (44_100, 2)])
@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.wav", "pcm_s16le"),
        ("a.aiff", "pcm_s16be"),
        ("a.caf", "pcm_s16be"),
        ("a.w64", "pcm_s16le"),
        ("a.m4a", "aac"),
        ("a.mov", "alac"),
        ("a.flac", "flac"),
        ("a.oga", "flac"),
        ("a.wma", "wmav2"),
        ("a.wv", "wavpack"),
        ("a.tta", "tta"),
        ("a.voc", "pcm_u8"),
        ("a.mp3", "libmp3lame"),
        ("a.ts", "aac"),
    ],
)
def test_all_of_a_joined_file_is_heard(
    tmp_path: Path, name: str, codec: str, rate: int, channels: int
) -> None:
    decoded, audio = decoded_file(_joined(tmp_path, name, codec, rate, channels))
    found = heard(audio)
    late = {"a.wma": [1, 2, 3, 5, 6, 7]}.get(name, range(8))  # its codec swallows the first beep
    assert {key: found.get(key) for key in late} == pytest.approx({s: s for s in late}, abs=_EXACT)
    assert (decoded.warnings, decoded.is_cut_off) == ((), False)


@pytest.mark.parametrize("name", ["a.opus", "a.flv"])
def test_streams_that_change_where_they_were_joined(tmp_path: Path, name: str) -> None:
    codec, rate = ("libopus", 48_000) if name == "a.opus" else ("libmp3lame", 44_100)
    parts = [
        Sound(beeps.beeps(4, rate, first=0), codec, rate=rate),
        Sound(np.stack([beeps.beeps(4, rate, first=4)] * 2), codec, rate=rate),
        Sound(beeps.beeps(4, rate, first=8), codec, rate=rate),
    ]
    files = [write(tmp_path / f"{n}-{name}", part) for n, part in enumerate(parts)]
    path = tmp_path / name
    path.write_bytes(b"".join(file.read_bytes() for file in files))
    decoded, audio = decoded_file(path)
    assert heard(audio) == pytest.approx({second: second for second in range(12)}, abs=_EXACT)
    assert decoded.warnings == ()


def test_fragmented_files_joined(tmp_path: Path) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"}
    files = [
        write(tmp_path / f"{n}.mp4", Sound(beeps.beeps(4, first=4 * n)), **options) for n in (0, 1)
    ]
    path = tmp_path / "a.mp4"
    path.write_bytes(b"".join(file.read_bytes() for file in files))
    assert heard(decoded_file(path)[1]) == pytest.approx({s: s for s in range(8)}, abs=_EXACT)


def test_a_wav_file_of_odd_length_without_the_padding_that_is_due(tmp_path: Path) -> None:
    path = _joined(tmp_path, "a.wav", "pcm_u8", 48_000, 1)
    first = bytearray((tmp_path / "1-a.wav").read_bytes())
    at = first.index(b"data") + 4
    (size,) = struct.unpack("<I", first[at : at + 4])
    first[at : at + 4] = struct.pack("<I", size - 1)
    path.write_bytes(first[: at + 4 + size - 1] + (tmp_path / "2-a.wav").read_bytes())
    assert heard(decoded_file(path)[1]) == pytest.approx({s: s for s in range(8)}, abs=_EXACT)


def test_a_second_recording_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    path = _joined(tmp_path, "a.m4a", "aac", 48_000, 1)
    first = (tmp_path / "1-a.m4a").read_bytes()
    path.write_bytes(path.read_bytes()[: len(first) + 5000])
    decoded, audio = decoded_file(path)
    assert sorted(heard(audio)) == [0, 1, 2, 3]
    assert decoded.is_cut_off
    assert "another recording follows" in decoded.warnings[0]


def test_joined_amr_files_are_two(tmp_path: Path) -> None:
    """Nothing here writes AMR: these are frames without data."""
    path = tmp_path / "a.amr"
    path.write_bytes((b"#!AMR\n" + b"\x7c" * 100) * 2)
    with path.open("rb") as file:
        assert [section.size for section in recordings(file)] == [106, 106]


def test_a_wavpack_file_of_many_channels_is_one(tmp_path: Path) -> None:
    """Each pair of channels has a block that begins at 0."""
    sound = np.stack([beeps.beeps(2)] * 6)
    path = write(tmp_path / "a.wv", Sound(sound, "wavpack"))
    with path.open("rb") as file:
        assert len(recordings(file)) == 1
    assert sorted(heard(decoded_file(path)[1])) == [0, 1]


@pytest.mark.parametrize("name", ["a.wav", "a.aiff", "a.flac", "a.ogg"])
def test_a_tag_before_a_file_of_a_kind_that_has_none(tmp_path: Path, name: str) -> None:
    codec = {"a.wav": "pcm_s16le", "a.aiff": "pcm_s16be", "a.flac": "flac", "a.ogg": "libopus"}
    path = write(tmp_path / name, Sound(beeps.beeps(3), codec[name]))
    path.write_bytes(b"ID3\4\0\0\0\0\1\0" + bytes(128) + path.read_bytes())
    assert heard(decoded_file(path)[1]) == pytest.approx({0: 0, 1: 1, 2: 2}, abs=_EXACT)


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"RIFF\0\0\0\0WAVE", b"\0\0\0\1ftypisom", b"OggS\0\2" + bytes(10)]
)
def test_nonsense_is_one_recording(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a"
    path.write_bytes(content)
    with path.open("rb") as file:
        assert [section.size for section in recordings(file)] == [len(content)]
    with pytest.raises(UnreadableError):
        decoded_file(path)
