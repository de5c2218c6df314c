"""PREPARE under fire (S6, S7, S11, F82 to F88): mutated recordings of every format, and noise.

The real stage process, spoken to as the daemon speaks to it. Whatever it is given, it must answer:
a result, or "bad_input" or "incomplete" with a sentence; any other answer, or none, is a defect,
and so is a process that grows beyond half a gigabyte. The
suite feeds a few hundred, `pytest -m slow` 20,000.
"""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from daemon.domain.job import Identity
from daemon.handoff.artefacts import JobRequest
from daemon.handoff.protocol import Receipt, Request, parse_message, request_line
from daemon.models.hardware import stage_environment
from tests.kit import fault_recordings

_COMMAND = (sys.executable, "-P", "-s", "-m", "daemon.stages.prepare")
_FORMATS = {  # container: codec, sample format
    "wav": ("pcm_s16le", "s16"),
    "aiff": ("pcm_s16be", "s16"),
    "flac": ("flac", "s16"),
    "mp3": ("mp3", "fltp"),
    "ogg": ("libvorbis", "fltp"),
    "opus": ("libopus", "s16"),
    "mp4": ("aac", "fltp"),
    "mov": ("pcm_s16le", "s16"),
    "matroska": ("aac", "fltp"),
    "webm": ("libopus", "s16"),
    "mpegts": ("aac", "fltp"),
    "avi": ("mp3", "fltp"),
    "adts": ("aac", "fltp"),
    "asf": ("wmav2", "fltp"),
    "w64": ("pcm_s16le", "s16"),
    "caf": ("pcm_s16be", "s16"),
}


@dataclass
class Prepare:
    """A stage process that is started again when it dies, and what it answered."""

    folder: Path
    number: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    process: subprocess.Popen[bytes] | None = None

    def feed(self, content: bytes) -> Receipt | None:
        """Give it one file; None if it died over it."""
        self.number += 1
        source = self.folder / "input.wav"
        source.write_bytes(content)
        job = JobRequest(
            source=source,
            identity=Identity.of(source.stat()),
            language=None,
            languages=(),
            initial_prompt=None,
            max_bytes=10_000_000,
            max_seconds=120.0,
        )
        job.write(self.folder)
        receipt = self._ask(Request(self.folder, f"nonce-{self.number}"))
        self.answers[str(receipt.kind or "ok") if receipt else "died"] += 1
        return receipt

    def _ask(self, request: Request) -> Receipt | None:
        process = self._running()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(request_line(request))
        process.stdin.flush()
        for line in process.stdout:
            message = parse_message(line)
            if isinstance(message, Receipt) and message.nonce == request.nonce:
                return message
        return None

    def _running(self) -> subprocess.Popen[bytes]:
        if self.process is None or self.process.poll() is not None:
            self.process = subprocess.Popen(
                _COMMAND,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=stage_environment({}),
                cwd=self.folder,
            )
        return self.process

    def end(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.communicate()


def _encoded(container: str, codec: str, sample_format: str) -> bytes:
    """A second of a tone."""
    rate = 48_000 if codec == "libopus" else 16_000
    tone = np.sin(np.arange(rate) * 0.05) * 0.3
    samples = (tone * 32767).astype(np.int16)[None, :]
    resampler = av.AudioResampler(format=sample_format, layout="mono", rate=rate)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=container) as file:
        stream = file.add_stream(codec, rate=rate, layout="mono")
        size = 1024
        for start in range(0, rate, size):
            block = np.ascontiguousarray(samples[:, start : start + size])
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate, frame.pts = rate, start
            for one in resampler.resample(frame):
                file.mux(stream.encode(one))
        file.mux(stream.encode(None))
    return buffer.getvalue()


def _corpus() -> list[bytes]:
    """One small recording of each format that this PyAV can write, and two odd files."""
    found = [fault_recordings.video_without_sound(), fault_recordings.absurd_wav_header()]
    for container, (codec, sample_format) in _FORMATS.items():
        try:
            found.append(_encoded(container, codec, sample_format))
        except (av.FFmpegError, ValueError):
            continue  # an encoder that this build lacks
    assert len(found) > 12
    return found


_CORPUS = _corpus()
_MEMORY = 500_000_000  # bytes; of 2,000 files, none needed more than 140 MB
_SPOT = st.floats(0, 1, exclude_max=True)


def _at(content: bytes, spot: float) -> int:
    return int(len(content) * spot)


def _flip(content: bytes, spot: float, noise: bytes) -> bytes:
    at = _at(content, spot)
    return content[:at] + noise + content[at + len(noise) :]


def _insert(content: bytes, spot: float, noise: bytes) -> bytes:
    at = _at(content, spot)
    return content[:at] + noise + content[at:]


def _cut(content: bytes, spot: float, noise: bytes) -> bytes:
    return content[: _at(content, spot)]


def _drop(content: bytes, spot: float, noise: bytes) -> bytes:
    at = _at(content, spot)
    return content[:at] + content[at + 64 * (len(noise) + 1) :]


def _repeat(content: bytes, spot: float, noise: bytes) -> bytes:
    at = _at(content, spot)
    return content[:at] + content[at : at + 512] * (len(noise) + 2) + content[at:]


def _zero(content: bytes, spot: float, noise: bytes) -> bytes:
    return _flip(content, spot, bytes(64 * (len(noise) + 1)))


def _ones(content: bytes, spot: float, noise: bytes) -> bytes:
    """Sizes and counts of 2^32 - 1, where headers are."""
    return _flip(content, spot * 0.05, b"\xff" * 4)


def _splice(content: bytes, spot: float, noise: bytes) -> bytes:
    other = _CORPUS[(noise or b"\0")[0] % len(_CORPUS)]
    return content[: _at(content, spot)] + other[_at(other, spot) :]


_MUTATIONS: tuple[Callable[[bytes, float, bytes], bytes], ...] = (
    _flip,
    _insert,
    _cut,
    _drop,
    _repeat,
    _zero,
    _ones,
    _splice,
)
_MUTATION = st.tuples(st.sampled_from(_MUTATIONS), _SPOT, st.binary(max_size=16))
_PREFIXES = (b"", b"RIFF", b"OggS", b"fLaC", b"ID3\x03", b"\x1aE\xdf\xa3", b"FORM", b"#EXTM3U\n")


@dataclass(frozen=True)
class _Malformed:
    """How to spoil a recording: small enough to be printed."""

    seed: bytes | int  # noise, or the number of a recording
    mutations: tuple[tuple[Callable[[bytes, float, bytes], bytes], float, bytes], ...]

    def content(self) -> bytes:
        content = self.seed if isinstance(self.seed, bytes) else _CORPUS[self.seed]
        for mutate, spot, noise in self.mutations:
            content = mutate(content, spot, noise)
        return content


_NOISE = st.builds(bytes.__add__, st.sampled_from(_PREFIXES), st.binary(max_size=400))
_SPOILT = st.lists(_MUTATION, min_size=1, max_size=4).map(tuple)
_malformed = st.one_of(
    st.builds(_Malformed, _NOISE, st.just(())),
    *[st.builds(_Malformed, st.integers(0, len(_CORPUS) - 1), _SPOILT)] * 7,
)


@pytest.fixture(scope="module")
def prepare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prepare]:
    stage = Prepare(tmp_path_factory.mktemp("fuzz"))
    yield stage
    stage.end()
    print(f"\nfed {stage.number} files: {dict(stage.answers)}")


def _answers_with_sense(prepare: Prepare, content: bytes) -> None:
    receipt = prepare.feed(content)
    assert receipt is not None, "the stage died"
    assert receipt.kind in (None, "bad_input", "incomplete"), receipt.message
    assert receipt.usage.peak_rss_bytes < _MEMORY
    if receipt.kind is None:
        prepared = json.loads((prepare.folder / "prepared.json").read_bytes())
        assert prepared["nonce"] == receipt.nonce
        assert 0 <= prepared["duration"] <= 121
    else:
        assert receipt.message
        assert "Error" not in receipt.message
        assert not list(prepare.folder.glob("*.partial"))


_QUICK = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.mark.timeout(240)
@_QUICK
@given(malformed=_malformed)
def test_no_malformed_recording_goes_unanswered(prepare: Prepare, malformed: _Malformed) -> None:
    _answers_with_sense(prepare, malformed.content())


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("number", range(20))
def test_no_malformed_recording_of_twenty_thousand_goes_unanswered(
    prepare: Prepare, number: int
) -> None:
    """A thousand each, of a seed of its own: `-k "twenty and [7]"` runs one of them."""

    @seed(number)
    @settings(_QUICK, max_examples=1000, derandomize=False)
    @given(malformed=_malformed)
    def feed(malformed: _Malformed) -> None:
        _answers_with_sense(prepare, malformed.content())

    feed()
