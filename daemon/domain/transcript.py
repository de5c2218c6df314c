"""What was said and when: words, segments, and the two artefacts that carry them between stages.

All times are seconds from the start of the recording. Everything here is frozen and pure; JSON
becomes typed data in the `from_json` methods, which raise `ValueError` with the offending value.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

Json = dict[str, Any]


class WordSource(StrEnum):
    """How a word got its times."""

    ALIGNED = "aligned"  # the alignment model heard it
    INTERPOLATED = (
        "interpolated"  # placed between its neighbours: a digit, a symbol, an unheard word
    )
    ASR = "asr"  # Whisper's own cross-attention times


class AlignmentStatus(StrEnum):
    COMPLETE = "complete"  # every segment with words has word times
    PARTIAL = "partial"  # some segments have none; the reason says which and why
    FAILED = "failed"  # no segment has word times
    SKIPPED = "skipped"  # nothing to align, or alignment is switched off


@dataclass(frozen=True, slots=True)
class Word:
    """One word.

    `score` is the mean probability that the model which heard it gave it, 0 for interpolated words.
    """

    word: str
    start: float
    end: float
    score: float
    source: WordSource

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Word:
        return cls(
            word=_text(data, "word"),
            start=_number(data, "start"),
            end=_number(data, "end"),
            score=_number(data, "score"),
            source=WordSource(data["source"]),
        )


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, as Whisper cut it. `avg_logprob` is per token, natural log."""

    id: int
    start: float
    end: float
    text: str
    avg_logprob: float
    no_speech_prob: float
    words: tuple[Word, ...] = ()
    speaker: str | None = None
    language: str | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Segment:
        return cls(
            id=_integer(data, "id"),
            start=_number(data, "start"),
            end=_number(data, "end"),
            text=_text(data, "text"),
            avg_logprob=_number(data, "avg_logprob"),
            no_speech_prob=_number(data, "no_speech_prob"),
            words=tuple(Word.from_json(word) for word in data.get("words", ())),
        )

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Recognition:
    """TRANSCRIBE's artefact: what the speech model heard; words' times only if asked for."""

    language: str
    language_probability: float
    segments: tuple[Segment, ...]
    backend: str
    device: str
    model: str
    model_revision: str
    versions: Mapping[str, str]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Recognition:
        return cls(
            language=_text(data, "language"),
            language_probability=_number(data, "language_probability"),
            segments=tuple(Segment.from_json(segment) for segment in data["segments"]),
            backend=_text(data, "backend"),
            device=_text(data, "device"),
            model=_text(data, "model"),
            model_revision=_text(data, "model_revision"),
            versions={str(key): str(value) for key, value in data["versions"].items()},
        )

    def to_json(self) -> Json:
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Alignment:
    """ALIGN's artefact: the word times of each segment, by segment id, and how it went."""

    status: AlignmentStatus
    reason: str
    model: str
    words: Mapping[int, tuple[Word, ...]]

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Alignment:
        return cls(
            status=AlignmentStatus(data["status"]),
            reason=_text(data, "reason"),
            model=_text(data, "model"),
            words={
                int(segment): tuple(Word.from_json(word) for word in words)
                for segment, words in data["words"].items()
            },
        )

    def to_json(self) -> Json:
        words = {str(key): [asdict(word) for word in value] for key, value in self.words.items()}
        return {"status": self.status, "reason": self.reason, "model": self.model, "words": words}


def coverage(segments: Sequence[Segment]) -> float:
    """Share of the transcript's words whose times were heard, not interpolated; 1.0 if none."""
    said = sum(len(segment.text.split()) for segment in segments)
    heard = sum(
        word.source is not WordSource.INTERPOLATED for segment in segments for word in segment.words
    )
    return round(min(1.0, heard / said), 4) if said else 1.0


def _number(data: Mapping[str, Any], key: str) -> float:
    value = data[key]
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{key} is not a finite number: {value!r}")
    return float(value)


def _integer(data: Mapping[str, Any], key: str) -> int:
    value = data[key]
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{key} is not an integer: {value!r}")
    return value


def _text(data: Mapping[str, Any], key: str) -> str:
    value = data[key]
    if not isinstance(value, str):
        raise ValueError(f"{key} is not text: {value!r}")
    return value
