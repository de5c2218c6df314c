"""daemon.stages.prepare, .audio and .speech: 16 kHz mono, from the very bytes that settled."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
import pytest

from daemon.domain.job import FailureKind, Identity
from daemon.handoff import artefacts
from daemon.handoff.artefacts import Prepared
from daemon.handoff.protocol import Ready, Request
from daemon.models import hardware
from tests.kit import fault_recordings, recordings
from tests.kit.accuracy import AUDIO, truth_of
from tests.kit.stage_process import StageProcess, failed, request_for, stage

_FOR_MANY = "from daemon.stages import prepare, serve; serve.serve(prepare._handler)"


@pytest.fixture(scope="module")
def preparing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StageProcess]:
    """One process for all, outside of the sandbox, which lets a process see one job only."""
    log = tmp_path_factory.mktemp("prepare") / "stage.log"
    with stage(["-c", _FOR_MANY], log) as process:
        assert process.hear() == Ready()
        yield process


def _prepared(preparing: StageProcess, request: Request) -> Prepared:
    preparing.ask(request)
    receipt = preparing.receipt()
    assert receipt.kind is None, receipt.message
    return artefacts.read_prepared(request.folder, request.nonce)


def _refused(preparing: StageProcess, request: Request, kind: FailureKind) -> str:
    preparing.ask(request)
    said = failed(preparing.receipt(), kind)
    left = {path.name for path in request.folder.iterdir()}
    assert left <= {artefacts.REQUEST, artefacts.LOG}, "a failure leaves nothing large behind"
    return said


@pytest.mark.parametrize(
    ("name", "codec"),
    [
        ("memo-10s.wav", "pcm_s16le"),
        ("meeting-60s.mp3", "mp3float"),
        ("german-20s.flac", "flac"),
        ("french-20s.m4a", "aac"),
        ("spanish-20s.ogg", "opus"),
    ],
)
def test_every_container_becomes_the_same_kind_of_samples(
    preparing: StageProcess, tmp_path: Path, name: str, codec: str
) -> None:
    source = (AUDIO / name).resolve()
    request = request_for(source, tmp_path / "job")
    prepared = _prepared(preparing, request)
    audio = np.load(request.folder / artefacts.AUDIO, mmap_mode="r")
    assert (audio.dtype, audio.ndim) == (np.int16, 1)
    assert np.abs(audio.astype(int)).max() > 1000
    assert prepared.duration == round(len(audio) / 16_000, 3)
    assert prepared.codec == codec
    assert prepared.bytes == source.stat().st_size
    assert prepared.sha256 == hashlib.sha256(source.read_bytes()).hexdigest()
    assert prepared.warnings == ()
    last = max(word["end"] for word in truth_of(source.stem)["words"])
    assert 0 < prepared.speech[0][0] + 0.1 < prepared.speech[-1][1] <= prepared.duration
    assert prepared.speech[-1][1] == pytest.approx(last, abs=1.0)


def test_the_sound_of_a_film_is_heard(preparing: StageProcess, tmp_path: Path) -> None:
    source = recordings.film(tmp_path / "film.mp4", AUDIO / "memo-10s.wav")
    prepared = _prepared(preparing, request_for(source, tmp_path / "job"))
    assert prepared.duration == pytest.approx(9.5, abs=0.2)
    assert prepared.speech


@pytest.mark.parametrize("seconds", [0.1, 5.0])
def test_silence_has_no_speech(preparing: StageProcess, tmp_path: Path, seconds: float) -> None:
    source = recordings.silence(tmp_path / "a.wav", seconds)
    prepared = _prepared(preparing, request_for(source, tmp_path / "job"))
    assert (prepared.duration, prepared.speech) == (seconds, ())


@pytest.mark.parametrize("name", ["memo-10s.wav", "meeting-60s.mp3", "german-20s.flac"])
def test_a_cut_off_recording_is_decoded_as_far_as_it_goes_and_says_so(
    preparing: StageProcess, tmp_path: Path, name: str
) -> None:
    source = recordings.cut_off(tmp_path / name, AUDIO / name)
    prepared = _prepared(preparing, request_for(source, tmp_path / "job"))
    whole = truth_of(Path(name).stem)["words"][-1]["end"]
    assert prepared.duration == pytest.approx(whole / 2, rel=0.1)
    assert "cut off" in prepared.warnings[0]


def test_a_wav_from_a_pipe_does_not_know_its_length_and_is_whole(
    preparing: StageProcess, tmp_path: Path
) -> None:
    source = recordings.silence(tmp_path / "a.wav", 1.0)
    content = bytearray(source.read_bytes())
    content[4:8] = content[40:44] = b"\xff\xff\xff\xff"
    source.write_bytes(content)
    prepared = _prepared(preparing, request_for(source, tmp_path / "job"))
    assert (prepared.duration, prepared.warnings) == (1.0, ())


def test_broken_samples_become_silence(preparing: StageProcess, tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    samples = np.full(16_000, np.nan, np.float32)
    samples[::2] = np.inf
    with av.open(source, "w") as target:
        track = target.add_stream("pcm_f32le", rate=16_000, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate = 16_000
        target.mux(track.encode(frame))
        target.mux(track.encode(None))
    request = request_for(source, tmp_path / "job")
    _prepared(preparing, request)
    audio = np.load(request.folder / artefacts.AUDIO)
    assert np.isfinite(audio).all()


def test_what_is_no_recording_is_refused(preparing: StageProcess, tmp_path: Path) -> None:
    source = tmp_path / "a.wav"
    source.write_bytes(b"I only look like a recording.\n" * 50)
    said = _refused(preparing, request_for(source, tmp_path / "job"), FailureKind.INCOMPLETE)
    assert said.startswith("cannot be decoded: it is not an audio or video file")


def test_an_empty_file_is_refused(preparing: StageProcess, tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    request = request_for(tmp_path / "a.wav", tmp_path / "job")
    assert _refused(preparing, request, FailureKind.BAD_INPUT) == "the file is empty"


def test_a_film_without_sound_is_refused(preparing: StageProcess, tmp_path: Path) -> None:
    with av.open(tmp_path / "a.mp4", "w") as target:
        pictures = target.add_stream("mpeg4", rate=5)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        grey = np.full((64, 64, 3), 128, np.uint8)
        target.mux(pictures.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        target.mux(pictures.encode(None))
    request = request_for(tmp_path / "a.mp4", tmp_path / "job")
    said = _refused(preparing, request, FailureKind.INCOMPLETE)
    assert said == "cannot be decoded: it has no audio track"


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        ("#EXTM3U\n#EXTINF:5,\n{secret}\n#EXT-X-ENDLIST\n", FailureKind.BAD_INPUT),
        ("ffconcat version 1.0\nfile {secret}\n", FailureKind.INCOMPLETE),
    ],
)
def test_a_playlist_cannot_make_us_open_other_files(
    preparing: StageProcess, tmp_path: Path, script: str, kind: FailureKind
) -> None:
    secret = AUDIO / "memo-10s.wav"
    (tmp_path / "a.wav").write_text(script.format(secret=secret))
    request = request_for(tmp_path / "a.wav", tmp_path / "job")
    _refused(preparing, request, kind)


@pytest.mark.parametrize(
    ("limits", "said"),
    [({"max_bytes": 1000}, "limits.max_file_mb"), ({"max_seconds": 3.6}, "limits.max_audio_hours")],
)
def test_the_configured_limits_are_named(
    preparing: StageProcess, tmp_path: Path, limits: dict[str, float], said: str
) -> None:
    source = (AUDIO / "memo-10s.wav").resolve()
    request = request_for(source, tmp_path / "job", **limits)
    assert said in _refused(preparing, request, FailureKind.BAD_INPUT)


def test_a_file_that_changed_since_it_settled_is_not_read(
    preparing: StageProcess, tmp_path: Path
) -> None:
    source = recordings.silence(tmp_path / "a.wav", 1.0)
    request = request_for(source, tmp_path / "job")
    recordings.silence(source, 2.0)
    _refused(preparing, request, FailureKind.CHANGED)


@pytest.mark.parametrize("replacement", ["link", "folder", "pipe"])
def test_a_file_that_was_replaced_since_it_settled_is_not_opened(
    preparing: StageProcess, tmp_path: Path, replacement: str
) -> None:
    source = recordings.silence(tmp_path / "a.wav", 1.0)
    request = request_for(source, tmp_path / "job")
    source.unlink()
    if replacement == "link":
        source.symlink_to(AUDIO / "memo-10s.wav")
    elif replacement == "folder":
        source.mkdir()
    else:
        os.mkfifo(source)
    _refused(preparing, request, FailureKind.CHANGED)


def test_a_file_that_left_has_vanished(preparing: StageProcess, tmp_path: Path) -> None:
    source = recordings.silence(tmp_path / "a.wav", 1.0)
    request = request_for(source, tmp_path / "job")
    source.unlink()
    _refused(preparing, request, FailureKind.VANISHED)


def test_the_recording_is_not_touched(preparing: StageProcess, tmp_path: Path) -> None:
    source = recordings.silence(tmp_path / "a.wav", 1.0)
    before = Identity.of(source.stat())
    _prepared(preparing, request_for(source, tmp_path / "job"))
    assert Identity.of(source.stat()) == before


def test_memory_is_bounded_however_many_channels_there_are(
    preparing: StageProcess, tmp_path: Path
) -> None:
    """A damaged header may say 64 channels of a recording that has one."""
    source = tmp_path / "many.wav"
    source.write_bytes(fault_recordings.wav(40.0, rate=8000, channels=64, level=900))
    request = request_for(source, tmp_path / "job")
    preparing.ask(request)
    receipt = preparing.receipt()
    assert receipt.kind is None
    decoded = 40 * 16_000 * 64 * 4  # bytes, as 32-bit floats
    assert receipt.usage.peak_rss_bytes < 2.5 * decoded


def test_it_imports_no_recogniser_and_starts_no_threads(tmp_path: Path) -> None:
    """Either costs as much as its other imports, and a thread would stay outside of the sandbox."""
    code = """
import sys, psutil
from daemon.stages import prepare
prepare._handler()
print(*{"faster_whisper", "ctranslate2", "tokenizers", "torch"} & sys.modules.keys())
print(psutil.Process().num_threads() if sys.platform == "linux" else 1)
"""
    environment = hardware.stage_environment({"PATH": "/usr/bin:/bin"})
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, check=True
    )
    assert done.stdout.split() == [b"1"]
