"""A speaker for each lane: told by loudness, and silenced in the lanes of the others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from daemon.audio import SAMPLE_RATE, FloatArray, Recording
from daemon.diarization import channels
from daemon.diarization.channels import SameSoundError
from daemon.domain.speakers import Diarization, DiarizationStatus, Turn
from daemon.handoff.artefacts import Lane

_MARGIN = 0.15  # seconds of a voice's own turn that are kept before and after it

BoolArray = NDArray[np.bool_]


def separate(path: Path, lanes: Sequence[Lane]) -> tuple[tuple[Lane, ...], Diarization]:
    """Who speaks in which lane of the .npy at `path`; what others say there becomes silence.

    Returns the lanes of a speaker each. Raises SameSoundError where the lanes cannot tell.
    """
    if len(lanes) < 2:
        raise SameSoundError("only one channel is heard: set speakers.mode to voices")
    recording = Recording(path)
    offsets = [round(lane.offset * SAMPLE_RATE) for lane in lanes]
    length = min(round(lane.seconds * SAMPLE_RATE) for lane in lanes)

    def read(start: int, end: int) -> FloatArray:
        return np.stack([recording[at + start : at + end] for at in offsets], axis=1)

    found = channels.speakers(channels.levels(read, length), [lane.name for lane in lanes])
    used = [lanes[index] for index in found.channels]
    _silence(path, used, found.turns)
    speakers = Diarization(
        DiarizationStatus.COMPLETE, method="channels", voices=found.voices, turns=found.turns
    )
    return tuple(used), speakers


def failed(error: SameSoundError) -> Diarization:
    return Diarization(DiarizationStatus.FAILED, str(error), "channels")


def _silence(path: Path, lanes: Sequence[Lane], turns: Sequence[Turn]) -> None:
    """Where others speak in a lane and its own voice does not, there is nothing to transcribe."""
    audio = np.load(path, mmap_mode="r+")
    for number, lane in enumerate(lanes):
        own = [turn for turn in turns if turn.speaker == number]
        kept = [_widened(turn) for turn in own]
        for turn in turns:
            if turn.speaker == number:
                continue
            for start, end in _left(turn, kept):
                at = lane.offset
                audio[round((at + start) * SAMPLE_RATE) : round((at + end) * SAMPLE_RATE)] = 0
    audio.flush()


def _widened(turn: Turn) -> Turn:
    return replace(turn, start=max(turn.start - _MARGIN, 0.0), end=turn.end + _MARGIN)


def _left(turn: Turn, kept: Sequence[Turn]) -> list[tuple[float, float]]:
    """The parts of `turn` (start, end) that lie in none of `kept`, which are in order."""
    found = []
    at = turn.start
    for other in kept:
        if other.end <= at:
            continue
        if other.start >= turn.end:
            break
        if other.start > at:
            found.append((at, other.start))
        at = other.end
    if at < turn.end:
        found.append((at, turn.end))
    return found
