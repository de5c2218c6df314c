"""SubRip, WebVTT, ASS karaoke and LRC. Nothing that was said is taken for markup."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from daemon.rendering.clocks import stamp
from daemon.rendering.cues import DASH, Cue
from daemon.rendering.material import Material
from daemon.rendering.text import marked_direction

_WORD_JOINER = "\u2060"  # invisible, without width; keeps what it stands in from being markup
_TAG = re.compile(r"(<)(?=[A-Za-z/!?])|(\\)(?=[Nnh])")
_WIDE_BRACES = str.maketrans("{}", "｛｝")


def srt(material: Material) -> str:
    """SubRip: numbered cues, hours always, a comma before the milliseconds."""
    blocks = [
        f"{number}\n{stamp(cue.start, ',')} --> {stamp(cue.end, ',')}\n{_srt_body(cue)}\n\n"
        for number, cue in enumerate(material.cues, start=1)
    ]
    return "".join(blocks)


def _srt_body(cue: Cue) -> str:
    """SubRip has no escapes, but players take <b> and {\\an8} for markup, some even \\N.

    An invisible joiner parts the first and the last; a brace before a backslash becomes wide.
    """
    text = "\n".join(map(marked_direction, cue.lines)).replace("-->", "->")
    return _TAG.sub(rf"\g<0>{_WORD_JOINER}", text).replace("{\\", "｛\\")


def vtt(material: Material) -> str:
    """WebVTT, with the three characters escaped that it gives a meaning, and speakers as voices."""
    speakers = _speakers(material)
    blocks = [
        f"{stamp(cue.start, '.')} --> {stamp(cue.end, '.')}\n{_vtt_body(cue, speakers)}\n\n"
        for cue in material.cues
    ]
    return "WEBVTT\n\n" + "".join(blocks)


def _vtt_body(cue: Cue, speakers: Sequence[str]) -> str:
    if cue.dialogue:  # a line for each speaker
        return "\n".join(
            _voiced(line, speakers[row[0].turn])
            for line, row in zip(cue.lines, cue.rows, strict=True)
        )
    return _voiced("\n".join(cue.lines), speakers[cue.rows[0][0].turn])


def _voiced(text: str, speaker: str) -> str:
    escaped = _vtt_escaped(text)
    name = _vtt_escaped(" ".join(speaker.split()))
    return f"<v {name}>{escaped}</v>" if name else escaped


def _vtt_escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _speakers(material: Material) -> list[str]:
    """The speaker of each turn, as units count turns."""
    return [
        name or ""
        for name, _ in groupby(segment.speaker for segment in material.transcript.segments)
    ]


def lrc(material: Material) -> str:
    """LRC, as music players show it: a line for each cue, its time before it."""
    header = [
        f"[ti:{_bare(material.transcript.name)}]",
        f"[length:{_lrc_clock(material.transcript.duration)[:-3]}]",
    ]
    lines = [
        f"[{_lrc_clock(cue.start)}]{_lrc_escaped(' '.join(cue.lines))}" for cue in material.cues
    ]
    return "\n".join([*header, *lines, ""])


def _lrc_clock(seconds: float) -> str:
    hundredths = round(seconds * 100)
    return f"{hundredths // 6000:02d}:{hundredths // 100 % 60:02d}.{hundredths % 100:02d}"


def _lrc_escaped(text: str) -> str:
    """A line that begins with a bracket would be another tag."""
    return f"{_WORD_JOINER}{text}" if text.startswith("[") else text


def _bare(text: str) -> str:
    return " ".join(text.replace("[", "(").replace("]", ")").split())


def ass(material: Material) -> str:
    """Advanced SubStation Alpha; each word lights up as it is spoken (karaoke)."""
    import pysubs2  # noqa: PLC0415 - for this format only

    subtitles = pysubs2.SSAFile()
    subtitles.info["Title"] = " ".join(material.transcript.name.split())
    style = pysubs2.SSAStyle(fontsize=20, primarycolor=pysubs2.Color(255, 214, 64))
    style.secondarycolor = pysubs2.Color(255, 255, 255)  # before a word is spoken
    subtitles.styles["Default"] = style
    for cue in material.cues:
        event = pysubs2.SSAEvent(start=round(cue.start * 1000), end=round(cue.end * 1000))
        event.text = _karaoke(cue)
        subtitles.append(event)
    text: str = subtitles.to_string("ass")
    return text


def _karaoke(cue: Cue) -> str:
    """The cue's text with {\\k} before each word: how long it lasts, in hundredths of a second."""
    lines: list[str] = []
    at = round(cue.start * 100)
    for row in cue.rows:
        text = DASH if cue.dialogue else ""
        for number, unit in enumerate(row):
            end = max(at, round(unit.end * 100))
            space = " " if unit.space and number else ""
            text += f"{space}{{\\k{end - at}}}{_ass_escaped(unit.text)}"
            at = end
        lines.append(text)
    return "\\N".join(lines)


def _ass_escaped(text: str) -> str:
    """Braces hold commands and cannot be escaped for every player: they become wide ones."""
    return text.replace("\\", f"\\{_WORD_JOINER}").translate(_WIDE_BRACES)
