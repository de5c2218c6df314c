"""A delivered transcript as the renderers see it, read from NAME.json with distrust.

The JSON may have been edited by hand, or come from WhisperX: what is optional there is optional
here. Nothing that a renderer gets holds control characters or unpaired surrogates.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daemon.domain.transcript import Json, Segment, Word, WordSource

# What XML, subtitles and terminals do not take, the line and paragraph separators included.
_CONTROLS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u2028\u2029]")
_SOURCES = {str(source): source for source in WordSource}


@dataclass(frozen=True, slots=True)
class Spot:
    """A stretch that is worth a listen, and why. Times in seconds."""

    start: float
    end: float
    reason: str


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was said in a recording. `name` is the outputs' stem, `source` the recording's name.

    `languages` are all that are spoken, the commonest first; `language` is that of the text: the
    first of them, or English where the text is a translation.
    """

    name: str
    source: str
    language: str
    duration: float
    segments: tuple[Segment, ...]
    recorded_at: str = ""
    model: str = ""
    backend: str = ""
    device: str = ""
    alignment: str = ""
    alignment_reason: str = ""
    warnings: tuple[str, ...] = ()
    check: tuple[Spot, ...] = ()
    languages: tuple[str, ...] = ()

    @classmethod
    def from_document(cls, document: Mapping[str, Any], name: str) -> Transcript:
        """From NAME.json. Raises ValueError, TypeError or KeyError if it is no transcript."""
        provenance = _table(document, "provenance")
        alignment = _table(document, "alignment")
        segments = _segments(document["segments"])
        ends = [segment.end for segment in segments]
        return cls(
            name=cleaned(name),
            source=cleaned(provenance.get("source") or name),
            language=_text_language(document),
            duration=_seconds(document.get("duration", max(ends, default=0.0))),
            segments=segments,
            recorded_at=cleaned(provenance.get("recorded_at") or ""),
            model=cleaned(provenance.get("model") or ""),
            backend=cleaned(provenance.get("backend") or ""),
            device=cleaned(provenance.get("device") or ""),
            alignment=cleaned(alignment.get("status") or ""),
            alignment_reason=cleaned(alignment.get("reason") or ""),
            warnings=tuple(cleaned(warning) for warning in provenance.get("warnings") or ()),
            check=tuple(_spots(document.get("check") or ())),
            languages=tuple(cleaned(code) for code in document.get("languages") or ()),
        )

    @property
    def speakers(self) -> tuple[str, ...]:
        """Every speaker, in the order of their first words; empty if nobody told them apart."""
        return tuple(dict.fromkeys(segment.speaker for segment in self.segments if segment.speaker))

    @property
    def text(self) -> str:
        return " ".join(segment.text for segment in self.segments)


def _text_language(document: Mapping[str, Any]) -> str:
    options = _table(_table(document, "provenance"), "options")
    return "en" if options.get("task") == "translate" else cleaned(document.get("language") or "")


def cleaned(value: object) -> str:
    """As text in which white space is white space, and nothing is a control character."""
    return _CONTROLS.sub("", str(value)).replace("\t", " ").replace("\r\n", "\n")


def _table(document: Mapping[str, Any], key: str) -> Json:
    value = document.get(key) or {}
    if not isinstance(value, dict):
        raise TypeError(f"{key} is not an object")
    return value


def _segments(rows: Sequence[Mapping[str, Any]]) -> tuple[Segment, ...]:
    """In order, with times that never go back."""
    segments: list[Segment] = []
    floor = 0.0
    for number, row in enumerate(rows):
        start = max(_seconds(row["start"]), floor)
        end = max(_seconds(row["end"]), start)
        if text := " ".join(cleaned(row["text"]).split()):
            words = _words(row.get("words") or (), start, end)
            segments.append(_segment(row, number, start, end, text, words))
        floor = start
    return tuple(segments)


def _segment(
    row: Mapping[str, Any], number: int, start: float, end: float, text: str, words: Sequence[Word]
) -> Segment:
    return Segment(
        id=number,
        start=start,
        end=end,
        text=text,
        avg_logprob=_number(row.get("avg_logprob", 0.0)),
        no_speech_prob=_number(row.get("no_speech_prob", 0.0)),
        words=tuple(words),
        speaker=cleaned(row["speaker"]) if row.get("speaker") else None,
        language=cleaned(row["language"]) if row.get("language") else None,
    )


def _words(rows: Sequence[Mapping[str, Any]], start: float, end: float) -> list[Word]:
    """WhisperX leaves out the times of words that it could not place: so are those words."""
    words: list[Word] = []
    floor = start
    for row in rows:
        if row.get("start") is None or row.get("end") is None:
            continue
        word_start = min(max(_seconds(row["start"]), floor), max(end, floor))
        word_end = max(_seconds(row["end"]), word_start)
        source = _SOURCES.get(str(row.get("source")), WordSource.ALIGNED)
        score = _number(row.get("score") or 0.0)
        words.append(Word(cleaned(row["word"]), word_start, word_end, score, source))
        floor = word_start
    return words


def _spots(rows: Sequence[Mapping[str, Any]]) -> list[Spot]:
    return [
        Spot(
            start := _seconds(row.get("start", 0.0)),
            max(_seconds(row.get("end", 0.0)), start),
            cleaned(row.get("reason") or ""),
        )
        for row in rows
    ]


def _number(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{value!r} is not a finite number")
    return float(value)


def _seconds(value: object) -> float:
    return max(0.0, _number(value))
