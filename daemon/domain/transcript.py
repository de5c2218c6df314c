"""What was said and when: words, segments, and the two artefacts that carry them between stages.

All times are seconds from the start of the recording. Everything here is frozen and pure; what
comes as JSON is read by `validation.from_json`, which holds it to the annotations.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from daemon.domain.validation import Count, Finite, Line, Text, Time

Json = dict[str, Any]

_UNSPACED_SCRIPTS = (
    "CJK UNIFIED",
    "CJK COMPATIBILITY IDEOGRAPH",
    "HIRAGANA",
    "KATAKANA",
    "THAI",
    "LAO",
    "KHMER",
    "MYANMAR",
)


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

    word: Line
    start: Time
    end: Time
    score: Finite
    source: WordSource


@dataclass(frozen=True, slots=True)
class Segment:
    """A stretch of speech, as Whisper cut it. `avg_logprob` is per token, natural log."""

    id: Count
    start: Time
    end: Time
    text: Text
    avg_logprob: Finite
    no_speech_prob: Finite
    words: tuple[Word, ...] = ()
    speaker: Line | None = None
    language: Line | None = None


@dataclass(frozen=True, slots=True)
class Doubt:
    """A spot that is worth a listen, and why."""

    start: Time
    end: Time
    reason: Line


@dataclass(frozen=True, slots=True)
class Recognition:
    """TRANSCRIBE's artefact: what the speech model heard; words' times only if asked for.

    `stands_in_for` is the model that was wanted, where the bundled one was used until that is here;
    `check` lists the doubtful spots, the worst first.
    """

    language: Line
    language_probability: Finite
    segments: tuple[Segment, ...]
    backend: Line
    device: Line
    model: Line
    model_revision: Line
    versions: Mapping[Line, Line]
    stands_in_for: Line = ""
    warnings: tuple[Line, ...] = ()
    check: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class Alignment:
    """ALIGN's artefact: the word times of each segment, by segment id, and how it went."""

    status: AlignmentStatus
    reason: Line
    model: Line
    words: Mapping[Count, tuple[Word, ...]]


def coverage(segments: Sequence[Segment]) -> float:
    """Share of the transcript's words whose times were heard, not interpolated; 1.0 if none."""
    said = sum(len(segment.words) or len(spoken_units(segment.text)) for segment in segments)
    heard = sum(
        word.source is not WordSource.INTERPOLATED for segment in segments for word in segment.words
    )
    return round(min(1.0, heard / said), 4) if said else 1.0


def spoken_units(text: str) -> list[str]:
    """The words of `text`; in a script without spaces its characters, marks with their letters."""
    units: list[str] = []
    for word in text.split():
        after_unspaced = True  # so that the first character begins a unit
        for index, character in enumerate(word):
            is_mark = unicodedata.category(character)[0] in "MP"
            begins = not is_mark and (after_unspaced or is_unspaced(character))
            if begins or index == 0:
                units.append(character)
            else:
                units[-1] += character
            if not is_mark:
                after_unspaced = is_unspaced(character)
    return units


def is_unspaced(character: str) -> bool:
    """Whether it belongs to a script that writes no spaces between words.

    Chinese, Japanese, Thai, Lao, Khmer, Burmese; Korean writes them.
    """
    name = unicodedata.name(character, "")
    return name.startswith(_UNSPACED_SCRIPTS)
