"""Who speaks when: DIARIZE's artefact. Frozen values; times are seconds of the recording."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from daemon.domain.validation import Count, Finite, Line, Seconds

Method = Literal["voices", "channels"]


class DiarizationStatus(StrEnum):
    COMPLETE = "complete"
    FAILED = "failed"  # nobody knows who speaks; the reason says why


@dataclass(frozen=True, slots=True)
class Turn:
    """`speaker` is an index into the voices. Turns of different speakers may overlap."""

    start: Seconds
    end: Seconds
    speaker: Count


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker: a unit vector that describes the voice; empty where that is not known.

    `name` is a track's own name, "" if it has none.
    """

    embedding: tuple[Finite, ...] = ()
    name: Line = ""


@dataclass(frozen=True, slots=True)
class Diarization:
    """`voices` in the order of their first words; `turns` by start."""

    status: DiarizationStatus
    reason: Line = ""
    method: Method = "voices"
    voices: tuple[Voice, ...] = ()
    turns: tuple[Turn, ...] = ()

    def __post_init__(self) -> None:
        if any(turn.speaker >= len(self.voices) for turn in self.turns):
            raise ValueError("a turn is of a speaker that is not there")
