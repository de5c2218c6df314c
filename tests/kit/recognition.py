"""Sample recordings, their speech, and word errors, for the tests of daemon.asr."""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

import av
import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps

from daemon.audio import SAMPLE_RATE, FloatArray, Span
from daemon.bench.word_errors import word_error_rate
from daemon.domain.transcript import Segment

SAMPLES = Path(__file__).parents[1] / "audio"
DEMO = Path(__file__).parents[1] / "models" / "whisper-demo"
SILENCE: FloatArray = np.zeros(2 * SAMPLE_RATE, np.float32)


@lru_cache(maxsize=8)
def audio_of(name: str) -> FloatArray:
    """A sample, decoded: mono, 16 kHz, float32."""
    (path,) = (path for path in SAMPLES.glob(f"{name}.*") if path.suffix != ".json")
    return decoded_file(path)


def decoded_file(path: Path) -> FloatArray:
    """A recording: mono, 16 kHz, float32."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    with av.open(path) as container:
        frames = [
            resampled.to_ndarray().ravel()
            for frame in container.decode(audio=0)
            for resampled in resampler.resample(frame)
        ]
    return np.concatenate(frames).astype(np.float32)


@lru_cache(maxsize=8)
def speech_in(name: str) -> tuple[Span, ...]:
    """What Silero's voice-activity detection finds in a sample, in seconds."""
    options = VadOptions(min_silence_duration_ms=300, speech_pad_ms=100)
    found = get_speech_timestamps(audio_of(name), options)
    return tuple((span["start"] / SAMPLE_RATE, span["end"] / SAMPLE_RATE) for span in found)


def truth_of(name: str) -> str:
    text = json.loads((SAMPLES / f"{name}.truth.json").read_text(encoding="utf-8"))["text"]
    return str(text)


def word_errors(segments: Iterable[Segment], name: str) -> float:
    """Word error rate against the sample's truth."""
    return word_error_rate(" ".join(segment.text for segment in segments), truth_of(name))
