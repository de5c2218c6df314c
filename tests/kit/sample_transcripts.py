"""Transcripts of the sample recordings as a faultless recogniser would deliver them; no model."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from daemon.domain.transcript import Segment, Word, WordSource
from daemon.rendering.transcript import Transcript
from daemon.rendering.units import CharacterTimes

SAMPLES = Path(__file__).parents[1] / "audio"
NAMES = sorted(path.name.removesuffix(".truth.json") for path in SAMPLES.glob("*.truth.json"))
Json = dict[str, Any]


def truth(path: Path) -> Json:
    found: Json = json.loads(path.read_text("utf-8"))
    return found


def sample_segments(path: Path, seconds: float = 28.0) -> list[Segment]:
    """The true sentences joined up to `seconds`, as Whisper cuts; each word with its true times."""
    known = truth(path)
    words = [_word(word["word"], word["start"], word["end"]) for word in known["words"]]
    whole = {"text": known["text"], "start": words[0].start, "end": words[-1].end}
    groups: list[list[Json]] = []
    for sentence in known.get("sentences") or [whole]:
        if not groups or sentence["end"] - groups[-1][0]["start"] > seconds:
            groups.append([])
        groups[-1].append(sentence)
    return [_segment(number, group, words) for number, group in enumerate(groups)]


def _segment(number: int, sentences: Sequence[Json], words: Sequence[Word]) -> Segment:
    """The truth's words lack punctuation: the text's own get the times of their characters."""
    text = " ".join(sentence["text"] for sentence in sentences)
    start, end = sentences[0]["start"], sentences[-1]["end"]
    inside = tuple(word for word in words if start - 0.001 <= word.start < end)
    clock = CharacterTimes(Segment(number, start, end, text, -0.1, 0.0, inside))
    timed, at = [], 0
    for token in text.split():
        begins, ends = clock.span(at, at + len(token))
        timed.append(_word(token, round(begins, 3), round(ends, 3)))
        at += len(token)
    return Segment(number, start, end, text, -0.1, 0.0, tuple(timed))


def _word(text: str, start: float, end: float) -> Word:
    return Word(text, start, end, 0.9, WordSource.ALIGNED)


def document(segments: Sequence[Segment], language: str = "en", **fields: object) -> Json:
    """NAME.json for these segments, as a delivery has it."""
    rows = [asdict(segment) for segment in segments]
    return {
        "schema_version": 1,
        "text": " ".join(segment.text for segment in segments),
        "language": language,
        "duration": max((segment.end for segment in segments), default=0.0),
        "segments": rows,
        "alignment": {"status": "complete", "reason": "", "model": "demo", "coverage": 1.0},
        "provenance": {"source": "memo.wav", "recorded_at": "2026-03-04T10:00:00Z", "warnings": []},
        **fields,
    }


def sample(name: str, **fields: object) -> Transcript:
    path = SAMPLES / f"{name}.truth.json"
    whole = document(sample_segments(path), truth(path)["language"], **fields)
    return Transcript.from_document(whole, name)


def said(text: str, start: float = 0.0, end: float | None = None, **fields: Any) -> Segment:  # noqa: ANN401
    """A segment whose words follow one another evenly; by default 0.3 seconds a word."""
    tokens = text.split()
    step = 0.3 if end is None else (end - start) / max(1, len(tokens))
    words = tuple(
        _word(token, round(start + at * step, 3), round(start + (at + 1) * step, 3))
        for at, token in enumerate(tokens)
    )
    return Segment(0, start, start + step * len(tokens), text, -0.1, 0.0, words, **fields)


def transcript(*segments: Segment, language: str = "en", name: str = "memo") -> Transcript:
    return Transcript.from_document(document(segments, language), name)
