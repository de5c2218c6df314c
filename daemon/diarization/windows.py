"""What the networks hear in a recording: who speaks alone where, and how that voice sounds.

The segmentation network looks at windows of 10 s that overlap by half; each decides about its
middle 5 s. Where it hears somebody alone, the stretch is covered with samples of 1.5 s, each with
an embedding: a stretch in which the network missed a change of speakers can still be parted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.diarization.features import LENGTH, SHIFT
from daemon.diarization.networks import (
    FRAME_SECONDS,
    FRAMES,
    LOCAL,
    VOICE_FRAMES_A_SECOND,
    WINDOW,
    Networks,
)

HOP = WINDOW // 2
HOP_SECONDS = HOP / SAMPLE_RATE
_ACTIVE = 0.5  # probability from which a voice counts as heard
_SHORTEST = 0.5  # seconds below which a voice cannot be told
_SAMPLE = 1.5  # seconds of a sample of a voice,
_STEP = 0.75  # and from one to the next
_CHUNK_SECONDS = WINDOW // SAMPLE_RATE  # that CAM++ hears at a time
_LEAST_AUDIO = SAMPLE_RATE // 10

BoolArray = NDArray[np.bool_]
Read = Callable[[int, int], FloatArray]  # the samples from one index to another, or fewer


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where a voice of a window speaks alone. Times are seconds of the recording.

    `samples` are (start, end), a few that overlap; `embeddings` has shape (samples, 192).
    """

    window: int
    voice: int
    start: float
    end: float
    samples: tuple[tuple[float, float], ...]
    embeddings: FloatArray


@dataclass(slots=True)
class Heard:
    """All windows: `active[i]` has shape (589, 3) and begins at i × 5 s. `length` in samples."""

    length: int
    active: list[BoolArray] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)


def listen(
    read: Read, length: int, networks: Networks, progress: Callable[[float, float], None]
) -> Heard:
    """Run both networks over a recording of `length` samples (16 kHz mono).

    `progress` gets (seconds done, seconds in total) after each window.
    """
    heard = Heard(length)
    voices = _VoiceFrames(read, length, networks)
    total = count_windows(length)
    for number in range(total):
        window = np.zeros(WINDOW, np.float32)
        part = read(number * HOP, number * HOP + WINDOW)
        window[: len(part)] = part
        active = networks.activities(window) > _ACTIVE
        heard.active.append(active)
        for voice, start, end in _alone(active, number, total, length / SAMPLE_RATE):
            samples = _samples(start, end)
            embeddings = np.stack(
                [networks.embedding(voices.between(*sample)) for sample in samples]
            )
            heard.stretches.append(Stretch(number, voice, start, end, samples, embeddings))
        progress(min(number * HOP + WINDOW, length) / SAMPLE_RATE, length / SAMPLE_RATE)
    return heard


def count_windows(length: int) -> int:
    return len(range(0, max(1, length - HOP), HOP))


def middle(number: int, total: int) -> tuple[int, int]:
    """The frames (first, end) that a window decides about; the outer ones reach the edge."""
    first = 0 if number == 0 else FRAMES // 4
    return first, FRAMES if number == total - 1 else FRAMES // 4 + (FRAMES + 1) // 2


def runs(flags: BoolArray) -> Iterator[tuple[int, int]]:
    """(first, end) of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    for first, end in edges.reshape(-1, 2):
        yield int(first), int(end)


def alone_in(active: BoolArray) -> BoolArray:
    """Where each voice speaks alone, same shape."""
    return np.asarray(active & (active.sum(axis=1, keepdims=True) == 1))


def _alone(
    active: BoolArray, number: int, total: int, seconds: float
) -> Iterator[tuple[int, float, float]]:
    """(voice, start, end) of each stretch that is long enough to tell who speaks."""
    first, end = middle(number, total)
    single = alone_in(active)[first:end]
    origin = number * HOP_SECONDS + first * FRAME_SECONDS
    for voice in range(LOCAL):
        for begin, stop in runs(single[:, voice]):
            start = origin + begin * FRAME_SECONDS
            finish = min(origin + stop * FRAME_SECONDS, seconds)
            if finish - start >= _SHORTEST:
                yield voice, start, finish


def _samples(start: float, end: float) -> tuple[tuple[float, float], ...]:
    """Spans of 1.5 s that cover a stretch evenly; a shorter stretch is one span."""
    if end - start <= _SAMPLE:
        return ((start, end),)
    steps = int(np.ceil((end - start - _SAMPLE) / _STEP))
    starts = np.linspace(start, end - _SAMPLE, steps + 1)
    return tuple((float(at), float(at) + _SAMPLE) for at in starts)


class _VoiceFrames:
    """CAM++'s frames, computed chunk by chunk where they are needed, and soon forgotten."""

    def __init__(self, read: Read, length: int, networks: Networks) -> None:
        self._read = read
        self._length = length
        self._networks = networks
        self._chunks: dict[int, FloatArray] = {}

    def between(self, start: float, end: float) -> FloatArray:
        """The frames from `start` to `end`, in seconds."""
        first = int(start * VOICE_FRAMES_A_SECOND)
        last = max(int(end * VOICE_FRAMES_A_SECOND), first + 2)
        size = _CHUNK_SECONDS * VOICE_FRAMES_A_SECOND
        parts = []
        for chunk in range(first // size, (last - 1) // size + 1):
            origin = chunk * size
            parts.append(self._chunk(chunk)[max(0, first - origin) : last - origin])
        frames = np.concatenate(parts)
        return frames if len(frames) >= 2 else np.repeat(self._chunk(chunk)[-1:], 2, axis=0)

    def _chunk(self, number: int) -> FloatArray:
        if number not in self._chunks:
            for old in [known for known in self._chunks if known < number - 1]:
                del self._chunks[old]
            start = number * WINDOW
            audio = self._read(start, min(start + WINDOW + LENGTH - SHIFT, self._length))
            audio = np.pad(audio, (0, max(0, _LEAST_AUDIO - len(audio))))
            self._chunks[number] = self._networks.voice_frames(audio)
        return self._chunks[number]
