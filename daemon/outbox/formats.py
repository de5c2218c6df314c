"""The text formats of the outbox, rendered from segments. Pure: each returns a whole file."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from daemon.domain.transcript import Segment
from daemon.outbox.subtitles import Cue, cues


def txt(segments: Sequence[Segment]) -> str:
    """One segment a line."""
    return "".join(f"{segment.text.strip()}\n" for segment in segments)


def srt(segments: Sequence[Segment]) -> str:
    """SubRip: numbered cues, hours always, a comma before the milliseconds."""
    blocks = [
        f"{number}\n{_clock(cue.start, ',')} --> {_clock(cue.end, ',')}\n{_body(cue)}\n\n"
        for number, cue in enumerate(cues(segments), start=1)
    ]
    return "".join(blocks)


def vtt(segments: Sequence[Segment]) -> str:
    """WebVTT, with the three characters escaped that it gives a meaning."""
    blocks = [
        f"{_clock(cue.start, '.')} --> {_clock(cue.end, '.')}\n{_escaped(_body(cue))}\n\n"
        for cue in cues(segments)
    ]
    return "WEBVTT\n\n" + "".join(blocks)


def tsv(segments: Sequence[Segment]) -> str:
    """Whisper's table: start and end in integer milliseconds, then the text."""
    rows = [
        f"{round(segment.start * 1000)}\t{round(segment.end * 1000)}"
        f"\t{' '.join(segment.text.split())}\n"
        for segment in segments
    ]
    return "start\tend\ttext\n" + "".join(rows)


RENDERERS: Mapping[str, Callable[[Sequence[Segment]], str]] = {
    "txt": txt,
    "srt": srt,
    "vtt": vtt,
    "tsv": tsv,
}


def _body(cue: Cue) -> str:
    return "\n".join(cue.lines).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(seconds: float, separator: str) -> str:
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, fraction = divmod(rest, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{separator}{fraction:03d}"
