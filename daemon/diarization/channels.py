"""Speakers from channels: whoever is loud in a channel speaks there, faint copies are cross-talk.

Each channel is held against its own usual loudness, so that microphones of different gain compare.
A channel speaks where it is near that, and no other is much nearer: cross-talk is at least 3 dB
farther from its channel's own voice than the voice itself is from its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.diarization.windows import BoolArray, runs
from daemon.domain.speakers import Turn, Voice

_STEP = SAMPLE_RATE // 50  # samples that a level is measured over: 20 ms
_BLOCK = 60 * SAMPLE_RATE  # samples read at a time
_SMOOTH = 11  # steps (0.22 s) that levels are averaged over: a syllable has gaps of its own
_USUAL = 90  # percentile of the level of a channel's own voice that counts as usual
_FIRST = 99.5  # … of the whole channel, before it is known where its own voice speaks
_PASSES = 3
_NEAR = 25.0  # dB under the usual level at which a channel may still speak,
_ABOVE = 6.0  # if that is so many dB above its noise,
_AHEAD = 3.0  # and no other channel is so many dB nearer to its own
_FAINT = -50.0  # dB under the loudest channel: as good as silent
_SILENT = -90.0  # dB of full scale: silent whatever the others are
_SAME = 0.97  # correlation of levels: copies of one sound
_GAP = 15  # steps (0.3 s) of silence within a turn
_BLIP = 8  # steps (0.16 s) under which a turn is none

Levels = NDArray[np.float32]  # dB, shape (steps, channels)


class SameSoundError(Exception):
    """The channels cannot tell speakers apart; the text says why."""


@dataclass(frozen=True, slots=True)
class ChannelSpeakers:
    """A voice for each of `channels`, which are indices, and the turns of all by start."""

    channels: tuple[int, ...]
    voices: tuple[Voice, ...]
    turns: tuple[Turn, ...]


def levels(read: Callable[[int, int], FloatArray], length: int) -> Levels:
    """The loudness of each channel in steps of 20 ms, in dB of full scale.

    `read` gives the samples between two indices, shape (samples, channels), full scale 1. Hum and
    handling noise count for little: it is measured on the first difference.
    """
    found = []
    for start in range(0, length, _BLOCK):
        block = read(start, min(start + _BLOCK, length))
        change = np.diff(block, axis=0, prepend=block[:1])
        whole = change[: len(change) // _STEP * _STEP].reshape(-1, _STEP, block.shape[1])
        found.append((whole**2).mean(axis=1))
    if not found:
        return np.zeros((0, 0), np.float32)
    power = np.concatenate(found)
    window = np.ones(_SMOOTH) / _SMOOTH
    smooth = np.stack([np.convolve(one, window, "same") for one in power.T], axis=1)
    return np.asarray(10 * np.log10(smooth + 1e-12), np.float32)


def speakers(found: Levels, names: Sequence[str]) -> ChannelSpeakers:
    """Who speaks when, a speaker for each channel that is heard, in the order of channels.

    Raises SameSoundError where fewer than two channels differ.
    """
    if not len(found):
        return ChannelSpeakers((), (), ())
    usual = np.percentile(found, _FIRST, axis=0)
    heard = np.flatnonzero(usual > max(float(usual.max()) + _FAINT, _SILENT))
    if len(heard) < 2:
        raise SameSoundError("only one channel is heard: set speakers.mode to voices")
    kept = _different(found[:, heard])
    if len(kept) < 2:
        raise SameSoundError("all channels hold the same sound: set speakers.mode to voices")
    heard = heard[kept]
    speaking = _speaking(found[:, heard], usual[heard])
    for _ in range(_PASSES):
        speaking = _speaking(found[:, heard], _usual(found[:, heard], speaking, usual[heard]))
    turns = [turn for column in range(len(heard)) for turn in _of(speaking[:, column], column)]
    channels = tuple(heard.tolist())
    return ChannelSpeakers(
        channels,
        tuple(Voice(name=names[channel] if channel < len(names) else "") for channel in channels),
        tuple(sorted(turns, key=lambda turn: (turn.start, turn.end))),
    )


def _different(found: Levels) -> list[int]:
    """The columns that are no copies of an earlier one."""
    kept: list[int] = []
    for column in range(found.shape[1]):
        copies = [_correlation(found[:, column], found[:, other]) > _SAME for other in kept]
        if not any(copies):
            kept.append(column)
    return kept


def _correlation(one: Levels, other: Levels) -> float:
    if one.std() == 0 or other.std() == 0:
        return 0.0
    return float(np.corrcoef(one, other)[0, 1])


def _speaking(found: Levels, usual: Levels) -> BoolArray:
    """Where each channel's own voice speaks, shape (steps, channels)."""
    near = found - usual
    noise = np.percentile(found, 10, axis=0)
    nearest = near.max(axis=1, keepdims=True)
    loud = (near > -_NEAR) & (found > noise + _ABOVE)
    return np.asarray(loud & (near > nearest - _AHEAD))


def _usual(found: Levels, speaking: BoolArray, before: Levels) -> Levels:
    """How loud each channel's own voice usually is, where nobody else speaks."""
    alone = speaking & (speaking.sum(axis=1, keepdims=True) == 1)
    usual = before.copy()
    for channel in np.flatnonzero(alone.any(axis=0)):
        usual[channel] = np.percentile(found[alone[:, channel], channel], _USUAL)
    return usual


def _of(flags: BoolArray, speaker: int) -> list[Turn]:
    joined: list[list[int]] = []
    for first, end in runs(flags):
        if joined and first - joined[-1][1] < _GAP:
            joined[-1][1] = end
        else:
            joined.append([first, end])
    seconds = _STEP / SAMPLE_RATE
    return [
        Turn(round(first * seconds, 3), round(end * seconds, 3), speaker)
        for first, end in joined
        if end - first >= _BLIP
    ]
