"""The channels of a recording, each by itself: where people have a microphone each, who spoke."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from daemon.audio import to_int16
from daemon.stages.channels import BLOCK, Levels, Samples, weights
from daemon.stages.selection import MeasuredTrack

_Column = list[tuple[Samples, NDArray[np.float64]]]  # parts of one track, and what each adds


def write_channels(target: Path, heard: Sequence[MeasuredTrack], total: int) -> tuple[str, ...]:
    """Write the channels that are heard to `target`, an .npy of shape (total, channels), int16.

    Returns a name for each, such as "track 1, channel 2". A channel that is silent, or steady
    beside others that are not, is left out. Levels are the recording's own.
    """
    named = [column for one in heard for column in _columns(one)]
    with target.open("wb") as file:
        header = {"descr": "<i2", "fortran_order": False, "shape": (total, len(named))}
        npy.write_array_header_1_0(file, header)
        for start in range(0, total, BLOCK):
            block = np.zeros((min(BLOCK, total - start), len(named)), np.float32)
            for index, (_, column) in enumerate(named):
                for samples, factors in column:
                    piece = samples[start : start + len(block)].astype(np.float32)
                    block[: len(piece), index] += piece @ factors.astype(np.float32)
            file.write(to_int16(block).tobytes())
    return tuple(name for name, _ in named)


def _columns(one: MeasuredTrack) -> list[tuple[str, _Column]]:
    """A column for each channel of the track's longest part; other parts are in all of them."""
    samples, levels = max(one.parts, key=lambda part: len(part[0]))
    others = [(part, weights(measured)) for part, measured in one.parts if part is not samples]
    return [
        (f"{one.name}, channel {index + 1}", [(samples, _only(int(index), levels)), *others])
        for index in np.flatnonzero(weights(levels))
    ]


def _only(channel: int, levels: Levels) -> NDArray[np.float64]:
    factors = np.zeros(len(levels.loud))
    factors[channel] = 1.0
    return factors
