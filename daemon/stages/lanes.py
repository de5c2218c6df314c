"""Lanes: the tracks or channels of a recording that are transcribed each by itself.

They lie one behind another in audio.npy, with silence between them that no window of the recogniser
spans: detection, recognition and alignment treat them as one recording, in one batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from daemon.audio import SAMPLE_RATE, to_int16
from daemon.handoff.artefacts import Lane
from daemon.stages import channels
from daemon.stages.channels import Levels, Samples, weights
from daemon.stages.selection import MeasuredTrack

_APART = 40.0  # seconds of silence between lanes: more than the 30 of a window

Part = tuple[Samples, NDArray[np.float64]]  # of a track, and what each of its channels adds


@dataclass(frozen=True, slots=True)
class Mix:
    """What a lane is made of. `factor` raises or lowers the sum; `seconds` is its length."""

    name: str
    parts: Sequence[Part]
    factor: float
    seconds: float


def mixed(heard: Sequence[MeasuredTrack], name: str = "") -> Mix:
    """All channels and tracks that are heard, in one."""
    parts = [part for one in heard for part in one.parts]
    loud = max(float(levels.loud.max(initial=0.0)) for _, levels in parts)
    steady = all(bool(levels.steady.all()) for _, levels in parts)
    return Mix(
        name,
        [(samples, weights(levels)) for samples, levels in parts],
        channels.gain(loud, steady, max(levels.peak for _, levels in parts)),
        max(one.track.end for one in heard),
    )


def by_track(heard: Sequence[MeasuredTrack]) -> list[Mix]:
    return [mixed([one], one.name) for one in heard]


def by_channel(
    heard: Sequence[MeasuredTrack], name_of: Callable[[MeasuredTrack, int], str]
) -> list[Mix]:
    """Every channel that is heard, all as long as the recording.

    A channel that is silent, or steady beside others that are not, is none. `name_of` gets a track
    and the index of a channel.
    """
    seconds = max(one.track.end for one in heard)
    return [
        Mix(name_of(one, channel), parts, factor, seconds)
        for one in heard
        for channel, parts, factor in _channels_of(one)
    ]


def _channels_of(one: MeasuredTrack) -> list[tuple[int, Sequence[Part], float]]:
    """(index, what it is made of, factor) for each channel of the track's longest part.

    Parts in other numbers of channels are in all of them.
    """
    samples, levels = max(one.parts, key=lambda part: len(part[0]))
    others = [(part, weights(measured)) for part, measured in one.parts if part is not samples]
    found: list[tuple[int, Sequence[Part], float]] = []
    for index in np.flatnonzero(weights(levels)).tolist():
        factor = channels.gain(
            float(levels.loud[index]), bool(levels.steady[index]), float(levels.peak)
        )
        found.append((index, [(samples, _only(index, levels)), *others], factor))
    return found


def _only(channel: int, levels: Levels) -> NDArray[np.float64]:
    factors = np.zeros(len(levels.loud))
    factors[channel] = 1.0
    return factors


def write(
    target: Path,
    mixes: Sequence[Mix],
    progress: Callable[[float, float], None],
    on_bytes: Callable[[int], None],
) -> tuple[Lane, ...]:
    """Write the lanes to `target`, an .npy of shape (samples,), int16; return where they are.

    `progress` gets (seconds written, seconds in total).
    """
    lengths = [round(mix.seconds * SAMPLE_RATE) for mix in mixes]
    apart = round(_APART * SAMPLE_RATE)
    total = sum(lengths) + apart * (len(mixes) - 1)
    found: list[Lane] = []
    at = 0
    with target.open("wb") as file:
        header = {"descr": "<i2", "fortran_order": False, "shape": (total,)}
        npy.write_array_header_1_0(file, header)
        for mix, length in zip(mixes, lengths, strict=True):
            found.append(Lane(mix.name, round(at / SAMPLE_RATE, 3), round(mix.seconds, 3)))
            for start, block in channels.mixed(mix.parts, length):
                progress((at + start) / SAMPLE_RATE, total / SAMPLE_RATE)
                samples = to_int16(block * np.float32(mix.factor))
                file.write(samples.tobytes())
                on_bytes(samples.nbytes)
            at += length + apart
            if at < total:
                file.write(bytes(2 * apart))
                on_bytes(2 * apart)
    return tuple(found)
