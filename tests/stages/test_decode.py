"""daemon.stages.decode: every sound at the time at which a player plays it, and none unheard."""

from __future__ import annotations

import struct
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from daemon.audio import Recording
from daemon.stages.decode import Decoded, UnreadableError, decode
from daemon.stages.headers import examine
from daemon.stages.section import Section
from daemon.stages.selection import TrackChoice
from tests.kit import beeps, fault_recordings
from tests.kit.beeps import Array, Sound, damaged, heard, write
from tests.kit.decoding import decoded_file, times

_RATE = 48_000
_EXACT = 0.03  # seconds; a codec without a word on its delay is off by a frame


def _every_second(count: int, shift: float = 0.0, first: int = 0) -> dict[int, float]:
    return {second: second + shift for second in range(first, count)}


# --- the file's clock


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.m4a", "aac"),
        ("a.m4a", "alac"),
        ("a.mp3", "libmp3lame"),
        ("a.opus", "libopus"),
        ("a.webm", "libopus"),
        ("a.flac", "flac"),
        ("a.ac3", "ac3"),
        ("a.mkv", "pcm_s16le"),
        ("a.aiff", "pcm_s16be"),
        ("a.avi", "libmp3lame"),
        ("a.mpg", "mp2"),
        ("a.ts", "aac"),
    ],
)
def test_priming_is_taken_off_as_players_do(tmp_path: Path, name: str, codec: str) -> None:
    path = write(tmp_path / name, Sound(beeps.beeps(4), codec))
    decoded, audio = decoded_file(path)
    assert heard(audio) == pytest.approx(_every_second(4), abs=_EXACT)
    assert decoded.warnings == ()


@pytest.mark.parametrize(("name", "codec"), [("a.mp4", "aac"), ("a.mkv", "flac"), ("a.ts", "aac")])
@pytest.mark.parametrize("late", [0.4, 12.0])
def test_sound_that_begins_later_than_the_picture(
    tmp_path: Path, name: str, codec: str, late: float
) -> None:
    sound = Sound(beeps.beeps(3), codec, stamp=lambda seconds: seconds + late)
    path = write(tmp_path / name, sound, picture=late + 3)
    assert times(path) == pytest.approx(_every_second(3, late), abs=_EXACT)


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.ts", "a.mov"])
def test_a_gap_is_silence_of_its_length_and_is_told(tmp_path: Path, name: str) -> None:
    sound = Sound(beeps.beeps(6), stamp=lambda seconds: seconds if seconds < 2.5 else seconds + 20)
    decoded, audio = decoded_file(write(tmp_path / name, sound))
    expected = {second: second if second < 3 else second + 20 for second in range(6)}
    assert heard(audio) == pytest.approx(expected, abs=_EXACT)
    assert ["20.00 s hold nothing" in warning for warning in decoded.warnings] == [True]
    assert not np.any(audio[4 * 16_000 : 22 * 16_000])


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv"])
def test_what_overlaps_is_trimmed(tmp_path: Path, name: str) -> None:
    sound = Sound(beeps.beeps(6), stamp=lambda seconds: seconds if seconds < 2.5 else seconds - 0.3)
    expected = {second: second if second < 3 else second - 0.3 for second in range(6)}
    assert times(write(tmp_path / name, sound)) == pytest.approx(expected, abs=_EXACT)


def test_an_edit_list_that_cuts_the_beginning_off(tmp_path: Path) -> None:
    """Negative stamps become an edit list: a player starts in the middle of the track."""
    sound = Sound(beeps.beeps(4), stamp=lambda seconds: seconds - 0.5)
    path = write(tmp_path / "a.mp4", sound, picture=4)
    assert times(path) == pytest.approx(_every_second(4, -0.5, first=1), abs=_EXACT)


def test_tracks_begin_each_at_its_own_time(tmp_path: Path) -> None:
    first = Sound(beeps.beeps(2), stamp=lambda seconds: seconds + 1.5)
    second = Sound(beeps.beeps(2, first=50), stamp=lambda seconds: seconds + 5.25)
    path = write(tmp_path / "a.mkv", first, second, picture=8)
    expected = {0: 1.5, 1: 2.5, 50: 5.25, 51: 6.25}
    assert times(path) == pytest.approx(expected, abs=_EXACT)


def test_broadcast_sound_that_begins_long_after_the_picture(tmp_path: Path) -> None:
    """FFmpeg looks at 5 s of a transport stream, unless it is asked to look longer."""
    sound = Sound(beeps.beeps(2), stamp=lambda seconds: seconds + 14)
    path = write(tmp_path / "a.ts", sound, picture=16)
    assert times(path) == pytest.approx(_every_second(2, 14), abs=_EXACT)


# --- damage


@pytest.mark.parametrize("zeros", [False, True])
@pytest.mark.parametrize("codec", ["libmp3lame", "aac", "ac3", "mp2", "eac3"])
def test_a_damaged_stretch_of_a_stream_without_stamps_keeps_its_length(
    tmp_path: Path, codec: str, zeros: bool
) -> None:
    name = f"a.{codec.removeprefix('lib').removesuffix('lame')}"
    rng = np.random.default_rng(1)
    noise = (0.02 * rng.standard_normal(12 * _RATE)).astype(np.float32)  # for an even bit rate
    path = write(tmp_path / name, Sound(beeps.beeps(12) + noise, codec))
    before = times(path)
    content = bytearray(path.read_bytes())
    start, end = (round(len(content) * second / 12) for second in (4.5, 8.5))
    noise_bytes = rng.integers(0, 255, end - start, np.uint8).tobytes()
    content[start:end] = bytes(end - start) if zeros else noise_bytes
    path.write_bytes(content)
    decoded, audio = decoded_file(path)
    kept = {second: time for second, time in before.items() if second < 4.5 or second > 8.6}
    assert {key: time for key, time in heard(audio).items() if key in kept} == pytest.approx(
        kept, abs=0.15
    )
    assert "could not be decoded" in decoded.warnings[0]


@pytest.mark.parametrize("picture", [0.0, 8.0])
@pytest.mark.parametrize("codec", ["libmp3lame", "pcm_s16le"])
def test_a_damaged_stretch_of_an_avi_file_keeps_its_length(
    tmp_path: Path, codec: str, picture: float
) -> None:
    path = write(tmp_path / "a.avi", Sound(beeps.beeps(8), codec), picture=picture)
    before = times(path)
    content = bytearray(path.read_bytes())
    start, end = (round(len(content) * share) for share in (0.4, 0.7))
    content[start:end] = bytes(end - start)
    path.write_bytes(content)
    decoded, audio = decoded_file(path)
    found = heard(audio)
    assert {0, 1, 7} <= set(found)
    assert found == pytest.approx({second: before[second] for second in found}, abs=_EXACT)
    assert "hold nothing" in decoded.warnings[0]


@pytest.mark.parametrize("name", ["a.mp4", "a.mkv", "a.mov"])
def test_damaged_packets_are_silence_and_are_told_to_the_second(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, Sound(beeps.beeps(8), bit_rate=64_000), movflags="faststart")
    content = bytearray(path.read_bytes())
    data = content.find(b"mdat") if name != "a.mkv" else 0
    size = len(content) - data
    start, end = data + round(size * 3.4 / 8), data + round(size * 5.5 / 8)
    content[start:end] = b"\xff" * (end - start)
    path.write_bytes(content)
    decoded, audio = decoded_file(path)
    found = heard(audio)
    for second in (0, 1, 2) if name == "a.mkv" else (0, 1, 2, 7):  # which loses whole clusters
        assert found[second] == pytest.approx(second, abs=_EXACT)
    assert (
        "could not be decoded" in decoded.warnings[0] or "could be decoded" in decoded.warnings[0]
    )


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("a.m4a", "aac"),
        ("a.m4a", "alac"),
        ("a.mp3", "libmp3lame"),
        ("a.opus", "libopus"),
        ("a.flac", "flac"),
        ("a.ac3", "ac3"),
        ("a.wma", "wmav2"),
        ("a.aac", "aac"),
    ],
)
def test_light_damage_refuses_nothing_and_moves_nothing(
    tmp_path: Path, name: str, codec: str
) -> None:
    rng = np.random.default_rng(2)
    noise = (0.01 * rng.standard_normal(12 * _RATE)).astype(np.float32)
    whole = write(tmp_path / name, Sound(beeps.beeps(12) + noise, codec))
    before = times(whole)
    content = whole.read_bytes()
    kept = []
    for seed in range(12):
        path = tmp_path / f"damaged{whole.suffix}"
        path.write_bytes(damaged(content, seed, 3, first=len(content) // 10))
        found = times(path)
        kept.append(sum(abs(found.get(key, -9) - time) < 0.1 for key, time in before.items()))
    assert np.median(kept) >= 0.7 * len(before)


def test_a_change_of_rate_and_channels_on_the_way(tmp_path: Path) -> None:
    """As in joined files, and where a broadcast goes from stereo to 5.1."""
    stereo = np.stack([beeps.beeps(3), beeps.beeps(3)])
    surround = np.zeros((6, 2 * _RATE), np.float32)
    surround[2] = beeps.beeps(2, first=3)
    parts = [
        Sound(stereo),
        Sound(surround, bit_rate=300_000),
        Sound(beeps.beeps(2, 24_000, first=5), rate=24_000),
    ]
    content = b"".join(
        write(tmp_path / f"{index}.aac", part).read_bytes() for index, part in enumerate(parts)
    )
    (tmp_path / "a.aac").write_bytes(content)
    decoded, audio = decoded_file(tmp_path / "a.aac")
    assert heard(audio) == pytest.approx(_every_second(7), abs=0.15)
    assert decoded.warnings == ()


@pytest.mark.parametrize("rate", [1, 16, 1_000_000])
def test_a_rate_that_no_recording_has_is_refused_before_it_unfolds(
    tmp_path: Path, rate: int
) -> None:
    """At one sample a second, 55 bytes would be 18 hours."""
    (tmp_path / "a.flac").write_bytes(fault_recordings.slow_flac(rate))
    with pytest.raises(UnreadableError, match=f"sample rate is {rate} Hz") as refused:
        decoded_file(tmp_path / "a.flac")
    assert refused.value.is_final


def test_the_lowest_rate_of_recordings_is_decoded(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_bytes(fault_recordings.slow_flac(4_000))
    assert decoded_file(tmp_path / "a.flac")[0].seconds == pytest.approx(65_535 / 4_000, abs=0.01)


def test_joined_mp3_files_are_no_damage(tmp_path: Path) -> None:
    first = write(tmp_path / "1.mp3", Sound(beeps.beeps(3), "libmp3lame"))
    second = write(tmp_path / "2.mp3", Sound(beeps.beeps(2, first=3), "libmp3lame"))
    (tmp_path / "a.mp3").write_bytes(first.read_bytes() + second.read_bytes())
    decoded, audio = decoded_file(tmp_path / "a.mp3")
    assert heard(audio) == pytest.approx(_every_second(5), abs=0.15)
    assert decoded.warnings == ()


def test_an_mp3_that_ends_before_its_own_header_says(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp3", Sound(beeps.beeps(6), "libmp3lame"))
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert "6.0 s, but only" in decoded_file(path)[0].warnings[0]


def test_a_track_that_is_shorter_than_another_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", Sound(beeps.beeps(3)), Sound(beeps.beeps(9, first=20)))
    assert decoded_file(path)[0].warnings == ()


def test_where_no_sample_comes_out_the_file_failed(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(fault_recordings.wav(0))
    with pytest.raises(UnreadableError, match="nothing in it could be decoded"):
        decoded_file(path)


# --- headers that say less, or more, than the file holds


def _claims(path: Path, seconds: float, riff: int = 0) -> Path:
    """A WAV file of 6 s whose header was written when it had `seconds`."""
    content = bytearray(fault_recordings.wav(0) + _pcm(beeps.beeps(6, 16_000)))
    content[4:8] = struct.pack("<I", riff)
    content[40:44] = struct.pack("<I", round(seconds * 32_000))
    path.write_bytes(content)
    return path


def _pcm(audio: Array, order: str = "<i2") -> bytes:
    return (audio * 32_000).astype(order).tobytes()


@pytest.mark.parametrize("claimed", [0.0, 2.0])
def test_a_wav_header_that_is_older_than_the_data(tmp_path: Path, claimed: float) -> None:
    decoded, audio = decoded_file(_claims(tmp_path / "a.wav", claimed))
    assert heard(audio) == pytest.approx(_every_second(6), abs=0.01)
    assert (decoded.seconds, decoded.warnings) == (6.0, ())


def test_chunks_behind_the_data_are_no_audio(tmp_path: Path) -> None:
    path = _claims(tmp_path / "a.wav", 6.0)
    extra = b"bext" + struct.pack("<I", 90_000) + b"\x55" * 90_000
    path.write_bytes(path.read_bytes() + extra)
    assert decoded_file(path)[0].seconds == 6.0


def test_a_wav_header_that_promises_more(tmp_path: Path) -> None:
    assert (
        "10.0 s, but only 6.0 s" in decoded_file(_claims(tmp_path / "a.wav", 10.0))[0].warnings[0]
    )


def _unfinished(kind: str) -> bytes:
    """A second of PCM behind a header that was never brought up to date, then five more."""
    audio, swapped = _pcm(beeps.beeps(6, 16_000)), _pcm(beeps.beeps(6, 16_000), ">i2")
    form = b"fmt " + struct.pack("<IHHIIHH", 16, 1, 1, 16_000, 32_000, 2, 16)
    if kind == "rf64":
        sizes = b"ds64" + struct.pack("<IQQQI", 28, 0, 0, 0, 0)
        return b"RF64\xff\xff\xff\xffWAVE" + sizes + form + b"data\xff\xff\xff\xff" + audio
    if kind == "aiff":
        rate = struct.pack(">HQ", 16383 + 13, 16_000 << 50)
        common = b"COMM" + struct.pack(">IhIh", 18, 1, 16_000, 16) + rate
        sound = b"SSND" + struct.pack(">III", 8 + 32_000, 0, 0)
        return b"FORM" + struct.pack(">I", 32_054) + b"AIFF" + common + sound + swapped
    if kind == "au":
        return b".snd" + struct.pack(">5I", 24, 32_000, 3, 16_000, 1) + swapped
    if kind == "caf":
        description = b"desc" + struct.pack(">qd4sIIIII", 32, 16_000, b"lpcm", 2, 2, 1, 1, 16)
        return b"caff\0\1\0\0" + description + b"data" + struct.pack(">qI", 4 + 32_000, 0) + audio
    guid = b"\xf3\xac\xd3\x11\x8c\xd1\x00\xc0\x4f\x8e\xdb\x8a"
    riff = b"riff\x2e\x91\xcf\x11\xa5\xd6\x28\xdb\x04\xc1\x00\x00" + struct.pack("<Q", 0)
    described = b"fmt " + guid + struct.pack("<Q", 40) + form[8:]
    return riff + b"wave" + guid + described + b"data" + guid + struct.pack("<Q", 32_024) + audio


@pytest.mark.parametrize("kind", ["rf64", "aiff", "au", "caf", "w64"])
def test_unfinished_headers_of_other_pcm_files(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"a.{kind}"
    path.write_bytes(_unfinished(kind))
    decoded, audio = decoded_file(path)
    assert heard(audio) == pytest.approx(_every_second(6), abs=0.01)
    assert decoded.seconds == 6.0


@pytest.mark.parametrize("kind", ["rf64", "aiff", "au", "caf", "w64"])
@pytest.mark.parametrize("at", [4, 16, 20, 40, 48, 56, 64, 80])
def test_nonsense_in_such_a_header_is_no_error_of_ours(tmp_path: Path, kind: str, at: int) -> None:
    content = bytearray(_unfinished(kind))
    content[at : at + 8] = b"\xff" * 8
    path = tmp_path / "a"
    path.write_bytes(content)
    with path.open("rb") as file:
        header = examine(Section(file))
    assert header.seconds is None or 0 < header.seconds < 1e12


# --- channels


def _channels(count: int, **sounds: Array) -> Array:
    """`count` channels of 6 s; `c0` is the first one's sound."""
    audio = np.zeros((count, 6 * _RATE), np.float32)
    for name, sound in sounds.items():
        audio[int(name[1:])] = sound
    return audio


_HISS = (0.02 * np.random.default_rng(3).standard_normal(6 * _RATE)).astype(np.float32)
_TIME_CODE = (0.4 * np.sign(np.sin(np.arange(6 * _RATE) * 0.26))).astype(np.float32)
_HUM = (0.2 * np.sin(2 * np.pi * 50 * np.arange(6 * _RATE) / _RATE)).astype(np.float32)


@pytest.mark.parametrize(
    "channels",
    [
        pytest.param(_channels(2, c0=beeps.beeps(6), c1=-beeps.beeps(6)), id="mirror image"),
        pytest.param(_channels(2, c0=beeps.beeps(6), c1=-0.7 * beeps.beeps(6)), id="nearly so"),
        pytest.param(_channels(2, c0=beeps.beeps(6)), id="right silent"),
        pytest.param(_channels(2, c1=beeps.beeps(6)), id="left silent"),
        pytest.param(_channels(3, c2=beeps.beeps(6)), id="third of three"),
        pytest.param(_channels(6, c3=beeps.beeps(6)), id="on the subwoofer"),
        pytest.param(_channels(8, c3=beeps.beeps(6)), id="fourth of eight"),
        pytest.param(_channels(2, c0=beeps.beeps(6), c1=_TIME_CODE), id="time code"),
        pytest.param(_channels(2, c0=_HUM, c1=0.1 * beeps.beeps(6)), id="hum"),
        pytest.param(
            _channels(4, c0=_HISS, c1=_HISS[::-1], c2=0.3 * beeps.beeps(6), c3=-0.5 * _HISS),
            id="hiss",
        ),
    ],
)
def test_whatever_channel_the_voice_is_on_it_is_heard(tmp_path: Path, channels: Array) -> None:
    """Raw PCM, since codecs shape what they think is a subwoofer's channel."""
    path = tmp_path / "a.wav"
    count = len(channels)
    header = bytearray(fault_recordings.wav(0, _RATE, count))
    content = _pcm(channels.T)
    header[40:44] = struct.pack("<I", len(content))
    path.write_bytes(bytes(header) + content)
    audio = decoded_file(path)[1]
    peak = np.abs(audio).max()
    assert heard(audio / peak * 0.5) == pytest.approx(_every_second(6), abs=0.01)
    assert peak > 0.03


def test_two_voices_on_two_channels_are_both_heard(tmp_path: Path) -> None:
    shifted = np.roll(beeps.beeps(6, first=50), _RATE // 2)
    path = write(tmp_path / "a.flac", Sound(np.stack([beeps.beeps(6), shifted]), "flac"))
    expected = _every_second(6) | {50 + second: second + 0.5 for second in range(6)}
    assert times(path) == pytest.approx(expected, abs=_EXACT)


def test_a_quiet_recording_is_raised_and_hiss_is_not(tmp_path: Path) -> None:
    quiet = write(tmp_path / "a.wav", Sound(0.01 * beeps.beeps(4), "pcm_f32le"))
    assert np.abs(decoded_file(quiet)[1]).max() > 0.1
    hiss = write(tmp_path / "b.wav", Sound(0.1 * _HISS, "pcm_f32le"))
    assert np.abs(decoded_file(hiss)[1]).max() < 0.02


def test_float_samples_above_full_scale_are_not_clipped(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", Sound(6 * beeps.beeps(3), "pcm_f32le"))
    audio = decoded_file(path)[1]
    assert 0.5 < np.abs(audio).max() <= 1.0
    assert np.mean(np.abs(audio) > 0.99) < 0.01


def _lanes(
    path: Path, choice: TrackChoice = "mix", channels_apart: bool = False
) -> tuple[Decoded, list[dict[int, float]]]:
    """What is decoded of `path`, and the beeps of each lane."""
    target = path.with_name("lanes.npy")
    with path.open("rb") as file:
        decoded = decode(
            file, target, 1e6, lambda *_: None, choice=choice, channels_apart=channels_apart
        )
    audio = Recording(target)
    starts = [round(lane.offset * 16_000) for lane in decoded.lanes]
    assert all(later - earlier > 30 * 16_000 for earlier, later in pairwise(starts))
    return decoded, [
        heard(audio[at : at + round(lane.seconds * 16_000)])
        for at, lane in zip(starts, decoded.lanes, strict=True)
    ]


def test_the_channels_each_by_itself(tmp_path: Path) -> None:
    """For telling people with a microphone each apart; what is silent is no channel."""
    sounds = np.stack([beeps.beeps(4), np.zeros(4 * _RATE, np.float32), beeps.beeps(4, first=50)])
    later = Sound(
        beeps.beeps(2, first=70),
        "flac",
        layout="mono",
        stamp=lambda seconds: seconds + 1,
        tags={"title": "Guest"},
    )
    path = write(tmp_path / "a.mkv", Sound(sounds, "flac"), later)
    decoded, found = _lanes(path, channels_apart=True)
    assert [lane.name for lane in decoded.lanes] == ["", "", "Guest"]
    assert [lane.seconds for lane in decoded.lanes] == pytest.approx([4.0] * 3, abs=0.01)
    expected = [_every_second(4), {50 + at: at for at in range(4)}, {70: 1.0, 71: 2.0}]
    for got, wanted in zip(found, expected, strict=True):
        assert got == pytest.approx(wanted, abs=_EXACT)


def test_a_field_recorder_names_its_channels(tmp_path: Path) -> None:
    sounds = np.stack([beeps.beeps(3), np.zeros(3 * _RATE, np.float32), beeps.beeps(3, first=50)])
    path = write(tmp_path / "a.wav", Sound(sounds, "pcm_s16le"))
    tracks = "".join(
        f"<TRACK><CHANNEL_INDEX>{index}</CHANNEL_INDEX><INTERLEAVE_INDEX>{index}</INTERLEAVE_INDEX>"
        f"<NAME>{name}</NAME></TRACK>"
        for index, name in enumerate(("Ada &amp; Co", "", "Bob"), 1)
    )
    chunk = f"<BWFXML><TRACK_LIST>{tracks}</TRACK_LIST></BWFXML>".encode()
    with path.open("ab") as file:
        file.write(b"iXML" + struct.pack("<I", len(chunk)) + chunk)
    decoded, _ = _lanes(path, channels_apart=True)
    assert [lane.name for lane in decoded.lanes] == ["Ada & Co", "Bob"]


def test_every_track_by_itself_if_asked_for(tmp_path: Path) -> None:
    path = write(
        tmp_path / "a.mkv",
        Sound(beeps.beeps(4), tags={"language": "eng", "title": "Room"}),
        Sound(np.zeros((2, 4 * _RATE), np.float32)),
        Sound(beeps.beeps(3, first=50), stamp=lambda at: at + 0.5, tags={"language": "ger"}),
    )
    decoded, found = _lanes(path, choice="all")
    assert [lane.name for lane in decoded.lanes] == ["track 1 (Room, eng)", "track 3 (ger)"]
    assert found[0] == pytest.approx(_every_second(4), abs=_EXACT)
    assert found[1] == pytest.approx({50 + at: at + 0.5 for at in range(3)}, abs=_EXACT)
    assert [track.left_out for track in decoded.tracks] == ["", "it is silent", ""]
    assert decoded.warnings == ()


# --- tracks


def test_a_silent_first_track_gives_way(tmp_path: Path) -> None:
    silent = Sound(np.zeros((2, 4 * _RATE), np.float32))
    path = write(tmp_path / "a.mkv", silent, Sound(beeps.beeps(4)))
    decoded, audio = decoded_file(path)
    assert heard(audio) == pytest.approx(_every_second(4), abs=_EXACT)
    assert decoded.warnings == ()


def test_microphone_and_computer_are_mixed(tmp_path: Path) -> None:
    other = np.roll(beeps.beeps(4, first=50), _RATE // 2)
    path = write(tmp_path / "a.mp4", Sound(beeps.beeps(4)), Sound(other))
    expected = _every_second(4) | {50 + second: second + 0.5 for second in range(4)}
    assert times(path) == pytest.approx(expected, abs=_EXACT)


def test_a_track_in_another_language_is_left_out_and_that_is_told(tmp_path: Path) -> None:
    english = Sound(beeps.beeps(4), tags={"language": "eng"})
    german = Sound(beeps.beeps(4, first=50), tags={"language": "deu"})
    decoded, audio = decoded_file(write(tmp_path / "a.mkv", english, german))
    assert heard(audio) == pytest.approx(_every_second(4), abs=_EXACT)
    assert decoded.warnings == (
        "track 2 (deu) was not transcribed: it is in another language than track 1 (eng)",
    )


def test_a_copy_in_another_codec_is_not_heard_twice(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mkv", Sound(beeps.beeps(4)), Sound(beeps.beeps(4), "ac3"))
    once = write(tmp_path / "b.mkv", Sound(beeps.beeps(4)))
    decoded, audio = decoded_file(path)
    np.testing.assert_array_equal(audio, decoded_file(once)[1])
    assert decoded.warnings == ()


def test_the_first_track_alone_if_that_is_wanted(tmp_path: Path) -> None:
    path = write(tmp_path / "a.mp4", Sound(beeps.beeps(4)), Sound(beeps.beeps(4, first=50)))
    decoded, audio = decoded_file(path, "first")
    assert heard(audio) == pytest.approx(_every_second(4), abs=_EXACT)
    assert "only the first track is wanted" in decoded.warnings[0]


@pytest.mark.parametrize("entry", [b"drms", b"enca", b"aavd"])
def test_what_a_shop_protects_is_called_so(tmp_path: Path, entry: bytes) -> None:
    """As iTunes, the standard's common encryption, and Audible mark a track that they encrypt."""
    path = write(tmp_path / "a.m4b", Sound(beeps.beeps(4)))
    content = path.read_bytes()
    at = content.index(b"mp4a\0\0\0\0\0\0\0\1")
    audio = content.index(b"mdat") + 4
    noise = np.random.default_rng(1).bytes(2 * len(content))
    end = content.index(b"moov") - 4 if content.index(b"moov") > audio else len(content)
    encrypted = content[:audio] + noise[: end - audio] + content[end:]
    path.write_bytes(encrypted[:at] + entry + encrypted[at + 4 :])
    with pytest.raises(UnreadableError, match="DRM") as raised:
        decoded_file(path)
    assert raised.value.is_final
