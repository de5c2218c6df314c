"""Rows F82 to F91 and S6, S11: what is in the files. PREPARE is the real one; the rest is fake."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tests.faults.conftest import MakeDaemon
from tests.kit import fault_recordings as recordings
from tests.kit.daemon_process import Json
from tests.kit.fault_daemon import FaultDaemon


@pytest.fixture(scope="module")
def met(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FaultDaemon]:
    """One daemon, with the real decoder, that has met all of them."""
    folder = tmp_path_factory.mktemp("audio")
    daemon = FaultDaemon.on(folder / "d", {"limits": {"max_file_mb": 100, "max_audio_hours": 0.5}})
    secret = folder / "secret.wav"
    secret.write_bytes(recordings.MEMO.read_bytes())
    playlist = f"#EXTM3U\n#EXTINF:10,\n{secret}\n".encode()
    concat = f"ffconcat version 1.0\nfile '{secret}'\n".encode()
    hls = b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n" + f"file://{secret}\n".encode()
    files = {
        "whole.wav": recordings.MEMO.read_bytes(),
        "cut.m4a": recordings.cut(recordings.FRENCH),
        "cut.wav": recordings.cut(recordings.MEMO),
        "cut.flac": recordings.cut(recordings.GERMAN),
        "hole.flac": recordings.hole(recordings.GERMAN, 40_000),
        "text.wav": b"this is no audio\n" * 50,
        "zip.wav": b"PK\x03\x04" + os.urandom(500),
        "silent-video.mp4": recordings.video_without_sound(),
        "playlist.wav": playlist,
        "playlist.mp3": hls,
        "concat.wav": concat,
        "sequence-%03d.wav": concat,
        "refers.mov": recordings.referring_mov(secret),
        "long.flac": recordings.silent_flac(3600),
        "absurd.wav": recordings.absurd_wav_header(),
        "eight-channels.wav": recordings.wav(1.0, rate=192_000, channels=8),
        "one-sample.wav": recordings.wav(1 / 16_000),
        "no-sample.wav": recordings.wav(0),
        "silence.wav": recordings.wav(2.0),
        "a:b.wav": recordings.MEMO.read_bytes(),
        "-i.wav": recordings.MEMO.read_bytes(),
    }
    for name, content in files.items():
        daemon.drop(content, name)
    with (daemon.config.paths.inbox / "sparse.wav").open("wb") as file:
        file.truncate(50_000_000_000)
    finished = daemon.run_to_end("--real", "prepare", seconds=230)
    assert finished.returncode == 0, finished.stderr
    yield daemon
    daemon.end()


def _provenance(met: FaultDaemon, stem: str) -> Json:
    provenance: Json = met.document(stem)["provenance"]
    return provenance


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        pytest.param("cut.m4a", "it is cut off", id="f82-m4a"),
        pytest.param("text.wav", "not an audio or video file", id="f84-text"),
        pytest.param("zip.wav", "ZIP archive", id="f84-zip"),
        pytest.param("silent-video.mp4", "no audio track", id="f85"),
        pytest.param("playlist.wav", "it is a playlist", id="f86-s6-m3u"),
        pytest.param("playlist.mp3", "it is a playlist", id="f86-s6-hls"),
        pytest.param("concat.wav", "not an audio or video file", id="f86-s6-concat"),
        pytest.param("sequence-%03d.wav", "not an audio or video file", id="f91-s6-sequence"),
        pytest.param("sparse.wav", "larger than limits.max_file_mb", id="f87-s11"),
        pytest.param("long.flac", "longer than limits.max_audio_hours", id="f88-s11"),
    ],
)
def test_what_is_no_recording_fails_alone_with_the_reason(
    met: FaultDaemon, name: str, reason: str
) -> None:
    error = met.error(name)
    assert error["kind"] == "bad_input"
    assert reason in error["reason"]
    assert error["attempts"] == {"prepare": 1}


@pytest.mark.parametrize("stem", ["cut (2)", "cut"])
def test_a_file_that_was_cut_off_is_delivered_with_a_warning_f82(
    met: FaultDaemon, stem: str
) -> None:
    assert "may have been cut off" in _provenance(met, stem)["warnings"][0]


def test_a_damaged_block_costs_that_block_and_is_told_f83(met: FaultDaemon) -> None:
    assert _provenance(met, "hole")["warnings"]
    assert met.document("hole")["duration"] > 15


@pytest.mark.parametrize(
    "stem", ["absurd", "eight-channels", "one-sample", "silence", "a:b", "-i", "whole"]
)
def test_odd_but_playable_files_are_played_f88_f91(met: FaultDaemon, stem: str) -> None:
    assert stem in met.delivered()


def test_a_file_without_a_single_sample_ends_with_a_reason_or_an_empty_transcript_f88(
    met: FaultDaemon,
) -> None:
    assert "no-sample" in met.delivered() or met.error("no-sample.wav")["reason"]


def test_sound_that_lies_in_another_file_is_not_fetched_s6(met: FaultDaemon) -> None:
    """Neither the playlists nor the QuickTime reference led to the other file."""
    if "refers" in met.delivered():
        assert met.document("refers")["duration"] < 2  # the file's own second, not the other's ten
    else:
        assert met.error("refers.mov")["kind"] == "bad_input"
    for name in ("playlist", "concat"):
        assert name not in met.delivered()


def test_a_small_file_that_unfolds_into_more_than_the_disk_holds_s11(
    make: MakeDaemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    """24 minutes of silence are 92 MB; the limit is set so that they alone reach the floor."""
    daemon = make()
    usage = os.statvfs(daemon.root)
    free = usage.f_bavail * usage.f_frsize // 1_000_000
    config = daemon.root / "config.toml"
    text = config.read_text().replace("min_free_mb = 1", f"min_free_mb = {free - 40}")
    config.write_text(text)
    daemon.drop(recordings.silent_flac(1440), "bomb.flac")
    daemon.drained("--real", "prepare")
    assert "more disk space than is free" in daemon.error("bomb.flac")["reason"]
    assert not list((daemon.config.paths.state / "jobs").glob("*/audio*"))
