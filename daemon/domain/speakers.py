"""Who speaks when: DIARIZE's artefact. Frozen values; times are seconds of the recording."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Any, Literal

from pydantic import Field, TypeAdapter

Seconds = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]
Method = Literal["voices", "channels"]


class DiarizationStatus(StrEnum):
    COMPLETE = "complete"
    FAILED = "failed"  # nobody knows who speaks; the reason says why


@dataclass(frozen=True, slots=True)
class Turn:
    """`speaker` is an index into the voices. Turns of different speakers may overlap."""

    start: Seconds
    end: Seconds
    speaker: Annotated[int, Field(ge=0)]


@dataclass(frozen=True, slots=True)
class Voice:
    """A speaker: a unit vector that describes the voice (empty if speakers are channels).

    `name` is a track's own name, "" if it has none.
    """

    embedding: tuple[Number, ...] = ()
    name: str = ""


@dataclass(frozen=True, slots=True)
class Diarization:
    """`voices` in the order of their first words; `turns` by start."""

    status: DiarizationStatus
    reason: str = ""
    method: Method = "voices"
    voices: tuple[Voice, ...] = ()
    turns: tuple[Turn, ...] = ()

    def to_json(self) -> dict[str, Any]:
        data: dict[str, Any] = _ADAPTER.dump_python(self, mode="json")
        return data

    @classmethod
    def from_json(cls, data: object) -> Diarization:
        """Raises ValueError if it is none."""
        found = _ADAPTER.validate_python(data)
        if any(turn.speaker >= len(found.voices) for turn in found.turns):
            raise ValueError("a turn is of a speaker that is not there")
        return found


_ADAPTER = TypeAdapter(Diarization)
