"""Voice-activity detection: where in a recording somebody speaks (Silero VAD: silero.py)."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np

from daemon.audio import SAMPLE_RATE, FloatArray, Recording
from daemon.stages.silero import Rules, Silero

BLOCK = 600 * SAMPLE_RATE  # samples looked at in one go: bounds memory and paces the heartbeat
_MOST_THREADS = 4  # blocks looked at beside one another; each takes 40 MB

_PAUSE = 3 * SAMPLE_RATE // 10  # samples; a longer pause parts the speech
_MARGIN = SAMPLE_RATE // 10  # samples: they keep soft consonants
_CLEAR = Rules(0.5, 0.35, min_speech=0, min_silence=_PAUSE, padding=_MARGIN)

# Silero does not hear some quiet voices, and doubts voices in music or in an echoing room. Long
# stretches without speech are looked at once more, raised to the level of a near voice, and doubt
# is enough there, unless they are silent or steady, as noise and hum are. Music and applause stay
# below this threshold but for moments.
_DOUBTFUL = Rules(0.25, 0.15, min_speech=_PAUSE, min_silence=_PAUSE, padding=_MARGIN)
_LONG = 2 * SAMPLE_RATE  # samples
_NEAR = -20.0  # dBFS
_SILENT = -65.0  # dBFS
_STEADY = 8.0  # dB between the loud and the soft moments of a stretch
_FRAME = 480  # samples, 30 ms: how finely loudness is measured

_Span = tuple[int, int]  # samples


def find(
    path: Path, progress: Callable[[float, float], None], network: Silero | None = None
) -> tuple[tuple[float, float], ...]:
    """Spans of speech in the .npy at `path` (16 kHz mono): (start, end) in seconds, in order.

    Raises TamperedModelError where `network` is not loaded and cannot be.
    """
    audio = Recording(path)
    total = len(audio) / SAMPLE_RATE
    starts = range(0, len(audio), BLOCK)
    spans: list[_Span] = []
    silero = network or Silero()
    # The network runs in one thread, and forgets at a block's border what it has heard.
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        looked = pool.map(lambda start: _look_twice(silero, audio[start : start + BLOCK]), starts)
        for start, found in zip(starts, looked, strict=True):
            for first, last in found:
                _append(spans, start + first, start + last)
            progress(min(start + BLOCK, len(audio)) / SAMPLE_RATE, total)
    return tuple((round(a / SAMPLE_RATE, 3), round(b / SAMPLE_RATE, 3)) for a, b in spans)


def _look_twice(silero: Silero, audio: FloatArray) -> list[_Span]:
    spans = silero.spans(audio, _CLEAR)
    for start, end in list(_long_gaps(spans, len(audio))):
        gain = _missing_gain(audio[start:end])
        if gain is not None:
            found = silero.spans(np.clip(audio[start:end] * gain, -1.0, 1.0), _DOUBTFUL)
            spans += [(start + first, start + last) for first, last in found]
    return sorted(spans)


def _long_gaps(spans: Sequence[_Span], length: int) -> Iterator[_Span]:
    edges = [0, *(edge for span in spans for edge in span), length]
    return ((a, b) for a, b in list(pairwise(edges))[::2] if b - a >= _LONG)


def _missing_gain(audio: FloatArray) -> float | None:
    """By how much a quiet stretch must be raised; None where nobody can be speaking in it."""
    frames = audio[: len(audio) // _FRAME * _FRAME].reshape(-1, _FRAME).astype(np.float64)
    levels = 10 * np.log10(np.mean(frames**2, axis=1) + 1e-12)
    soft, loud = np.percentile(levels, [10, 95])
    if loud < _SILENT or loud - soft < _STEADY:
        return None
    return max(1.0, float(10 ** ((_NEAR - loud) / 20)))


def _append(spans: list[_Span], start: int, end: int) -> None:
    """Speech that a block's border has cut is one span."""
    if spans and spans[-1][1] >= start:
        spans[-1] = (spans[-1][0], end)
    else:
        spans.append((start, end))
