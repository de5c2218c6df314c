"""What the networks hear in a recording: who speaks alone where, and how that voice sounds.

The segmentation network looks at windows of 10 s, one after another. Where it hears somebody alone,
the voice network hears samples of at most 1.3 s, about 2.2 s apart. Between two samples that turn
out to be of one speaker, the segmentation network is trusted; elsewhere `refine` looks for the
change between them. On meetings, windows that overlap gained nothing and cost a third more.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.diarization.networks import FRAME_SECONDS, LOCAL, WINDOW, Networks

WINDOW_SECONDS = WINDOW / SAMPLE_RATE
_BATCH = 4  # windows that the network takes at once: a fifth cheaper than by themselves
_ACTIVE = 0.5  # probability from which a voice counts as heard,
_SURE = 0.8  # if that of speech reaches this at some moment of it
_SHORTEST = 0.5  # seconds below which a voice cannot be told
_SAMPLE = 1.295  # seconds of a sample of a voice: 128 frames, a round number for the network,
_STEP = 2.2  # and from one to the next, about
_LOOK = 0.815  # … of one that lies between two voices: 80 frames
_CLOSE = 1.3  # seconds between samples below which a change is not looked for
_LEAST_AUDIO = SAMPLE_RATE // 10

BoolArray = NDArray[np.bool_]
Read = Callable[[int, int], FloatArray]  # the samples from one index to another, or fewer


@dataclass(frozen=True, slots=True)
class Stretch:
    """Where a voice of a window speaks alone. Times are seconds of the recording.

    `samples` are (start, end) by start; `embeddings` has shape (samples, 192). `even` says which
    of them cover the stretch evenly: the others lie near a change, and may hold two voices.
    """

    window: int
    voice: int
    start: float
    end: float
    samples: tuple[tuple[float, float], ...]
    embeddings: FloatArray
    even: tuple[bool, ...]


@dataclass(slots=True)
class Heard:
    """All windows: `active[i]` has shape (589, 3) and begins at i × 10 s. `length` in samples."""

    length: int
    active: list[BoolArray] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)


def listen(
    read: Read, length: int, networks: Networks, progress: Callable[[float, float], None]
) -> Heard:
    """Run both networks over a recording of `length` samples (16 kHz mono).

    `progress` gets (seconds done, seconds in total) again and again.
    """
    heard = Heard(length)
    seconds = length / SAMPLE_RATE
    total = count_windows(length)
    for first in range(0, total, _BATCH):
        numbers = range(first, min(first + _BATCH, total))
        windows = np.stack([_window(read, number) for number in numbers])
        for number, probabilities in zip(numbers, networks.activities(windows), strict=True):
            active = _decided(probabilities)
            heard.active.append(active)
            for voice, start, end in _alone(active, number, seconds):
                samples = _samples(start, end)
                embeddings = np.stack([_voice(read, networks, sample) for sample in samples])
                even = (True,) * len(samples)
                heard.stretches.append(
                    Stretch(number, voice, start, end, samples, embeddings, even)
                )
            progress(min((number + 1) * WINDOW_SECONDS, seconds), seconds)
    return heard


def refine(
    read: Read,
    heard: Heard,
    centres: FloatArray,
    networks: Networks,
    progress: Callable[[float, float], None],
) -> None:
    """Find where the speaker changes within a stretch, by bisection: more samples there.

    `centres` are the speakers' unit vectors, shape (speakers, 192).
    """
    for number, stretch in enumerate(heard.stretches):
        speakers = (stretch.embeddings @ centres.T).argmax(axis=1).tolist()
        samples, embeddings = list(stretch.samples), list(stretch.embeddings)
        even, at = list(stretch.even), 0
        while at < len(samples) - 1:
            left, right = sum(samples[at]) / 2, sum(samples[at + 1]) / 2
            if speakers[at] == speakers[at + 1] or right - left <= _CLOSE:
                at += 1
                continue
            between = (left + right) / 2
            sample = (between - _LOOK / 2, between + _LOOK / 2)
            voice = _voice(read, networks, sample)
            samples.insert(at + 1, sample)
            embeddings.insert(at + 1, voice)
            even.insert(at + 1, False)
            speakers.insert(at + 1, int((centres @ voice).argmax()))
        heard.stretches[number] = replace(
            stretch, samples=tuple(samples), embeddings=np.stack(embeddings), even=tuple(even)
        )
        progress(stretch.end, heard.length / SAMPLE_RATE)


def _window(read: Read, number: int) -> FloatArray:
    """The samples of a window; silence follows the end of the recording."""
    part = read(number * WINDOW, (number + 1) * WINDOW)
    return np.pad(part, (0, WINDOW - len(part)))


def _decided(probabilities: FloatArray) -> BoolArray:
    """Which voices are active in each frame, both of shape (589, 3).

    Breath, laughter and noise raise the probability, but never for sure.
    """
    active = np.asarray(probabilities > _ACTIVE)
    for first, end in runs(np.asarray(active.any(axis=1))):
        if probabilities[first:end].sum(axis=1).max() < _SURE:
            active[first:end] = False
    return active


def count_windows(length: int) -> int:
    """What is left at the end of a recording and too short to tell a voice has no window."""
    return max(1, -(-(length - int(_SHORTEST * SAMPLE_RATE)) // WINDOW))


def runs(flags: BoolArray) -> Iterator[tuple[int, int]]:
    """(first, end) of every run of true values."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flags.astype(np.int8), [0]])))
    for first, end in edges.reshape(-1, 2):
        yield int(first), int(end)


def alone_in(active: BoolArray) -> BoolArray:
    """Where each voice speaks alone, same shape."""
    return np.asarray(active & (active.sum(axis=1, keepdims=True) == 1))


def _alone(active: BoolArray, number: int, seconds: float) -> Iterator[tuple[int, float, float]]:
    """(voice, start, end) of each stretch that is long enough to tell who speaks."""
    single = alone_in(active)
    origin = number * WINDOW_SECONDS
    for voice in range(LOCAL):
        for begin, stop in runs(single[:, voice]):
            start = origin + begin * FRAME_SECONDS
            finish = min(origin + stop * FRAME_SECONDS, seconds)
            if finish - start >= _SHORTEST:
                yield voice, start, finish


def _samples(start: float, end: float) -> tuple[tuple[float, float], ...]:
    """Spans of 1.3 s, each in the middle of an equal part of a stretch; a short one is one span."""
    count = max(1, round((end - start) / _STEP))
    part = (end - start) / count
    length = min(part, _SAMPLE)
    firsts = [start + part * (number + 0.5) - length / 2 for number in range(count)]
    return tuple((first, first + length) for first in firsts)


def _voice(read: Read, networks: Networks, sample: tuple[float, float]) -> FloatArray:
    """The embedding of what is heard between two times in seconds."""
    audio = read(*(int(at * SAMPLE_RATE) for at in sample))
    return networks.voice(np.pad(audio, (0, max(0, _LEAST_AUDIO - len(audio)))))
