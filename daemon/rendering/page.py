"""NAME.html: a transcript to read, hear and search, in one file that needs no network.

Template, styles and script lie in `templates/`; they are put together here. The page's policy
(CSP) allows this very style, this very script and media files, and nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from daemon.domain.languages import ENGLISH_NAMES
from daemon.domain.transcript import Json
from daemon.rendering.clocks import clock
from daemon.rendering.material import Material
from daemon.rendering.paragraphs import Paragraph, Sentence
from daemon.rendering.templating import rendered
from daemon.rendering.units import Unit

_UNSURE = 0.5  # below this mean probability, a word may well be another one
_COLOURS = 8  # as many as page.css has
_STRIP = 1000  # the width of the strips, in their own units
_STAGES = ("queued", "prepare", "transcribe", "align", "publish")


@dataclass(frozen=True, slots=True)
class _Word:
    """`mark` is "unsure", "placed" (nobody heard it) or ""."""

    text: str
    space: bool
    mark: str


@dataclass(frozen=True, slots=True)
class _Block:
    """A paragraph. `first` is the number of its first word in the page; `colour` its speaker's."""

    speaker: str
    colour: int | None
    stamp: str
    first: int
    words: tuple[_Word, ...]


@dataclass(frozen=True, slots=True)
class _Bar:
    """A stretch of a strip; `x` and `width` in 1/1000 of its length."""

    x: float
    width: float
    name: str
    label: str = ""


def html(material: Material) -> bytes:
    """The page, as UTF-8."""
    transcript = material.transcript
    speakers = {name: at % _COLOURS for at, name in enumerate(transcript.speakers)}
    return rendered(
        "page",
        _data(material),
        title=transcript.name,
        language=transcript.language,
        facts=_facts(material),
        notes=_notes(material),
        blocks=list(_blocks(material.paragraphs, speakers)),
        speakers=speakers,
        spots=[(spot, clock(spot.start)) for spot in transcript.check],
        speech=_speech(material.sentences, speakers, transcript.duration),
        marks=[_bar(spot.start, spot.end, transcript.duration) for spot in transcript.check],
        stages=_stages(material.stages),
        index=material.index,
    )


def _data(material: Material) -> Json:
    """What the script needs: times in milliseconds, subtitles, where the recording may lie."""
    transcript = material.transcript
    units = [unit for paragraph in material.paragraphs for unit in _units(paragraph)]
    return {
        "name": transcript.name,
        "duration": transcript.duration,
        "times": [round(t * 1000) for unit in units for t in (unit.start, unit.end)],
        "cues": [[cue.start, cue.end, "\n".join(cue.lines)] for cue in material.cues],
        "check": [[spot.start, spot.end] for spot in transcript.check],
        "recordings": [_address(path) for path in material.recordings],
    }


def _address(path: str) -> str:
    """A path relative to the page as a URL: no character of a name can mean anything in it."""
    return quote(os.fsencode(path), safe="/")


def _units(paragraph: Paragraph) -> list[Unit]:
    return [unit for sentence in paragraph.sentences for unit in sentence.units]


def _blocks(paragraphs: Sequence[Paragraph], speakers: dict[str, int]) -> Iterator[_Block]:
    first = 0
    for paragraph in paragraphs:
        units = _units(paragraph)
        words = tuple(
            _Word(unit.text, unit.space and at > 0, _mark(unit)) for at, unit in enumerate(units)
        )
        colour = speakers.get(paragraph.speaker)
        yield _Block(paragraph.speaker, colour, clock(paragraph.start), first, words)
        first += len(words)


def _mark(unit: Unit) -> str:
    if unit.score is None:
        return "placed"
    return "unsure" if unit.score < _UNSURE else ""


def _facts(material: Material) -> list[str]:
    transcript = material.transcript
    codes = transcript.languages or (transcript.language,)
    languages = (ENGLISH_NAMES.get(code, code).capitalize() for code in codes)
    words = sum(len(_units(paragraph)) for paragraph in material.paragraphs)
    made = " on ".join(part for part in (transcript.model, transcript.device) if part)
    facts = (
        transcript.source,
        transcript.recorded_at[:10],
        clock(transcript.duration),
        ", ".join(languages),
        f"{words:,} words",
        made,
    )
    return [fact for fact in facts if fact]


def _notes(material: Material) -> list[str]:
    transcript = material.transcript
    notes = list(transcript.warnings)
    if transcript.alignment in {"partial", "failed", "skipped"} and transcript.segments:
        reason = f": {transcript.alignment_reason}" if transcript.alignment_reason else ""
        notes.append(f"Not every word's time was measured{reason}")
    return notes


def _bar(start: float, end: float, duration: float, name: str = "") -> _Bar:
    scale = _STRIP / duration if duration else 0.0
    return _Bar(round(start * scale, 1), max(1.0, round((end - start) * scale, 1)), name)


def _speech(sentences: Sequence[Sentence], speakers: dict[str, int], duration: float) -> list[_Bar]:
    """Where somebody speaks, in the speakers' colours; what is too close to see is one bar."""
    runs: list[tuple[float, float, str]] = []
    for sentence in sentences:
        close = duration / _STRIP
        if runs and runs[-1][2] == sentence.speaker and sentence.start - runs[-1][1] < close:
            runs[-1] = (runs[-1][0], sentence.end, sentence.speaker)
        else:
            runs.append((sentence.start, sentence.end, sentence.speaker))
    return [_bar(start, end, duration, str(speakers.get(who, ""))) for start, end, who in runs]


def _stages(stages: dict[str, Json] | object) -> list[_Bar]:
    """How the time was spent, stage after stage, from what NAME.timing.json says."""
    if not isinstance(stages, dict):
        return []
    seconds = [(name, _seconds(stages.get(name))) for name in _STAGES]
    spent = [(name, time) for name, time in seconds if time > 0]
    total = sum(time for _, time in spent)
    bars, at = [], 0.0
    for name, time in spent:
        width = time / total * _STRIP
        bars.append(_Bar(round(at, 1), round(width, 1), name, _duration(time)))
        at += width
    return bars


def _seconds(stage: object) -> float:
    value = stage.get("seconds") if isinstance(stage, dict) else None
    return float(value) if isinstance(value, int | float) and 0 < value < 1e9 else 0.0


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else clock(seconds)
