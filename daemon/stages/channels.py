"""From channels and tracks to one voice track: whatever carries sound is heard, nothing cancels.

FFmpeg's downmix believes the labels of the channels: it drops the one that it takes for the
subwoofer's, and adds a channel to its own mirror image until nothing is left. Here the sound
decides. Levels are measured on the first difference of the samples, where hum counts for little.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.audio import SAMPLE_RATE, FloatArray

BLOCK = 60 * SAMPLE_RATE  # samples looked at in one go, of all channels together
_STEP = SAMPLE_RATE // 10  # samples that a level is measured over
_FAINT = 10 ** (-50 / 20)  # of the loudest: beneath, a channel or track is as good as silent
_SILENT = 1e-5  # -100 dB: beneath, it is silent whatever the others are
_STEADY = 2.0  # loud parts over quiet ones (6 dB): time code, hum and hiss hardly vary, speech does
_SAME_SOUND = 0.97  # correlation of two tracks' loudness over time: copies of one another
_RUMBLE = 0.005  # of the power is left in the first difference; of voices 0.01 and more
_ALIKE = 0.3  # correlation at which the sign of two channels matters

_QUIET = 0.012  # beneath that level a voice is hard to detect, …
_USUAL = 0.05  # … and at this one it is not
_MOST_GAIN = 300.0  # 50 dB
_PEAK = 0.9  # full scale is 1


class Samples:
    """Decoded samples that wait on disk: 16-bit floats of shape (samples, channels).

    They have eleven bits at every level, so that a quiet voice, and what is left where channels
    cancel, lose nothing that can be heard. They are read, not mapped: memory does not grow with
    the recording.
    """

    SIZE = 2  # bytes

    def __init__(self, path: Path, channels: int) -> None:
        self.path = path
        self.channels = channels
        self._length = path.stat().st_size // (self.SIZE * channels)

    def __len__(self) -> int:
        return self._length

    def read(self, start: int, end: int) -> FloatArray:
        """The samples from one index to another, or fewer at the end."""
        count = max(min(end, self._length) - start, 0) * self.channels
        offset = start * self.SIZE * self.channels
        if count == 0:
            return np.zeros((0, self.channels), np.float32)
        found = np.fromfile(self.path, np.float16, count, offset=offset)
        return found.reshape(-1, self.channels).astype(np.float32)

    def blocks(self) -> Iterator[FloatArray]:
        """All of them, as many at a time as memory is to hold however many channels there are."""
        step = max(BLOCK // self.channels // _STEP, 1) * _STEP
        return (self.read(start, start + step) for start in range(0, self._length, step))


@dataclass(frozen=True, slots=True)
class Levels:
    """What a part's channels sound like; arrays have one entry a channel."""

    loud: NDArray[np.float64]  # root mean square of the loud tenths of a second
    floor: NDArray[np.float64]  # … and of the quiet ones
    peak: float
    covariance: NDArray[np.float64]  # (channels, channels)
    envelope: FloatArray  # root mean square of all channels, ten values a second
    rumbles: bool  # what lies below all voices is far louder than all else

    @property
    def steady(self) -> NDArray[np.bool_]:
        return self.loud < _STEADY * self.floor


def measure(samples: Samples, progress: Callable[[float], None] = lambda _: None) -> Levels:
    """Look at all of a part; exact zeros are no sound.

    `progress` gets the seconds looked at.
    """
    channels = samples.channels
    covariance = np.zeros((channels, channels))
    energy = np.zeros(channels)
    seen = 0
    powers: list[FloatArray] = []
    peaks: list[FloatArray] = []
    for block in samples.blocks():
        change = np.diff(block, axis=0, prepend=block[:1])
        covariance += change.T @ change
        energy += np.einsum("sc,sc->c", block, block)
        powers.append(_steps(change**2).mean(axis=1))
        peaks.append(np.abs(_steps(block)).max(axis=(1, 2)))
        seen += len(block)
        progress(seen / SAMPLE_RATE)
    power = np.concatenate(powers) if powers else np.zeros((0, channels), np.float32)
    loud, floor = np.zeros(channels), np.zeros(channels)
    for channel in range(channels):
        heard = np.sqrt(power[:, channel][power[:, channel] > 0])
        if len(heard):
            loud[channel], floor[channel] = np.percentile(heard, [95, 10])
    rumbles = bool((np.diag(covariance) < _RUMBLE * energy).any())
    return Levels(loud, floor, _peak(peaks), covariance, np.sqrt(power.sum(axis=1)), rumbles)


def _steps(block: FloatArray) -> FloatArray:
    """Tenths of a second: (steps, samples, channels); what is left over at the end is left out."""
    step = min(_STEP, len(block))
    return block[: len(block) // step * step].reshape(-1, step, block.shape[1])


def _peak(peaks: Sequence[FloatArray]) -> float:
    """The highest sample, but for single bursts such as damage leaves behind."""
    found = np.concatenate(peaks) if peaks else np.zeros(0, np.float32)
    found = found[found > 0]
    return float(np.percentile(found, 99.5)) if len(found) else 0.0


def weights(levels: Levels) -> NDArray[np.float64]:
    """Factors that make one channel of all that are heard; shape (channels,).

    Silent and steady ones get 0 where another has more to say, mirror images a negative factor.
    The sum is as loud as the loudest of them.
    """
    loudest = levels.loud.max(initial=0.0)
    used = levels.loud > max(loudest * _FAINT, _SILENT)
    if (used & ~levels.steady).any():
        used &= ~levels.steady
    signs = _signs(levels.covariance) * used
    power = signs @ levels.covariance @ signs
    if power <= 0:
        equal: NDArray[np.float64] = used / max(used.sum(), 1)
        return equal
    loudest_power = (np.diag(levels.covariance) * used).max()
    scaled: NDArray[np.float64] = signs * np.sqrt(loudest_power / power)
    return scaled


def is_silent(loud: float, loudest: float) -> bool:
    """Whether a channel or track can be told from silence, beside one whose level is `loudest`."""
    return loud <= max(loudest * _FAINT, _SILENT)


def gain(loud: float, steady: bool, peak: float) -> float:
    """What the mix is multiplied by: too quiet a voice is raised, too loud a one lowered."""
    if peak > 1.0:
        return 1.0 / peak
    if steady or not _SILENT < loud < _QUIET or peak <= 0:
        return 1.0
    return min(_USUAL / loud, _MOST_GAIN, max(_PEAK / peak, 1.0))


def mixed(
    parts: Sequence[tuple[Samples, NDArray[np.float64]]], total: int
) -> Iterator[tuple[int, FloatArray]]:
    """The weighted sum of parts: index of the first sample, blocks of shape (samples,)."""
    step = BLOCK // max((samples.channels for samples, _ in parts), default=1)
    for start in range(0, total, step):
        block = np.zeros(min(step, total - start), np.float32)
        for samples, factors in parts:
            piece = samples.read(start, start + len(block))
            block[: len(piece)] += piece @ factors.astype(np.float32)
        yield start, block


def alike(one: Levels, other: Levels) -> bool:
    """Whether two tracks hold the same sound, as copies in two codecs do."""
    common = min(len(one.envelope), len(other.envelope))
    if common < 10:
        return False
    first, second = one.envelope[:common], other.envelope[:common]
    if first.std() == 0 or second.std() == 0:
        return False
    return bool(np.corrcoef(first, second)[0, 1] > _SAME_SOUND)


def _signs(covariance: NDArray[np.float64]) -> NDArray[np.float64]:
    """+1 or -1 a channel, so that channels that are alike do not cancel each other out."""
    deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-30))
    correlation = covariance / np.outer(deviation, deviation)
    correlation[np.abs(correlation) < _ALIKE] = 0.0
    signs = np.ones(len(covariance))
    for channel in range(1, len(covariance)):
        if correlation[channel, :channel] @ signs[:channel] < 0:
            signs[channel] = -1.0
    return signs
