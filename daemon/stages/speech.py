"""Voice-activity detection: where in a recording somebody speaks (Silero VAD, through ONNX)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from faster_whisper.vad import VadOptions, get_speech_timestamps
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz
BLOCK = 600 * SAMPLE_RATE  # samples looked at in one go: bounds memory and paces the heartbeat

# Pauses of 300 ms part the speech; 100 ms of margin keep soft consonants.
_OPTIONS = VadOptions(min_silence_duration_ms=300, speech_pad_ms=100)


def find(path: Path, progress: Callable[[float, float], None]) -> tuple[tuple[float, float], ...]:
    """Spans of speech in the .npy at `path` (16 kHz mono): (start, end) in seconds, in order."""
    audio: NDArray[np.float32] = np.load(path, mmap_mode="r")
    total = len(audio) / SAMPLE_RATE
    spans: list[tuple[int, int]] = []
    for start in range(0, len(audio), BLOCK):
        for span in get_speech_timestamps(np.array(audio[start : start + BLOCK]), _OPTIONS):
            _append(spans, start + span["start"], start + span["end"])
        progress(min(start + BLOCK, len(audio)) / SAMPLE_RATE, total)
    return tuple((round(a / SAMPLE_RATE, 3), round(b / SAMPLE_RATE, 3)) for a, b in spans)


def _append(spans: list[tuple[int, int]], start: int, end: int) -> None:
    """Speech that a block's border has cut is one span."""
    if spans and spans[-1][1] >= start:
        spans[-1] = (spans[-1][0], end)
    else:
        spans.append((start, end))
