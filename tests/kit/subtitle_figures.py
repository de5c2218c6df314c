"""How far subtitles keep to the rules of the trade, over all samples, beside other programs.

`python -m tests.kit.subtitle_figures [TRUTH.json …]` prints the table. whisperX's writer gets the
same words; stable-ts's too, where it is installed (it is no dependency).
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import pysubs2

from daemon.config.settings import Subtitles
from daemon.domain.transcript import Segment
from daemon.rendering.cues import cues
from daemon.rendering.limits import limits
from daemon.rendering.text import columns, ends_sentence
from tests.kit.sample_transcripts import SAMPLES, sample_segments, truth


@dataclass(frozen=True, slots=True)
class Shown:
    """A subtitle: from `start` to `end` in seconds, its text in one line."""

    start: float
    end: float
    text: str


@dataclass(frozen=True, slots=True)
class Figures:
    """How many subtitles there are, and how many break a rule."""

    subtitles: int = 0
    orphans: int = 0  # a single word torn from its sentence
    cut_sentences: int = 0  # ends in mid-sentence
    avoidable_cuts: int = 0  # sentences in several subtitles that would have fitted into one
    small_gaps: int = 0  # more than nothing, less than two frames of 1/24 s
    too_short: int = 0  # less than 5/6 s
    too_long: int = 0  # more than 7 s
    too_fast: int = 0  # more than 20 characters a second
    wide_lines: int = 0  # more than 42 columns

    def __add__(self, other: Figures) -> Figures:
        pairs = zip(asdict(self).values(), asdict(other).values(), strict=True)
        return Figures(*(mine + yours for mine, yours in pairs))


def figures(shown: Sequence[Shown], language: str, lines: Sequence[str] = ()) -> Figures:
    """What `shown` does to the rules; `lines` are the subtitles' single lines."""
    ends = _sentence_ends(shown, language)
    begins = [True, *ends]
    gaps = [after.start - before.end for before, after in pairwise(shown)]
    seconds = [round(one.end - one.start, 3) for one in shown]
    pairs = zip(shown, begins, ends, strict=False)
    speeds = zip(shown, seconds, strict=True)
    return Figures(
        subtitles=len(shown),
        orphans=sum(" " not in one.text and not (start and end) for one, start, end in pairs),
        cut_sentences=ends.count(False),
        avoidable_cuts=_avoidable(shown, ends),
        small_gaps=sum(0 < round(gap, 3) < 0.083 for gap in gaps),
        too_short=sum(length < 0.833 for length in seconds),
        too_long=sum(length > 7.0 for length in seconds),
        too_fast=sum(columns(one.text) / max(length, 0.001) > 20 for one, length in speeds),
        wide_lines=sum(columns(line) > 42 for line in lines),
    )


def _sentence_ends(shown: Sequence[Shown], language: str) -> list[bool]:
    """For each subtitle, whether a sentence ends with it; the last one always counts as an end."""
    following = [one.text.split()[0] for one in shown[1:]]
    known = [
        ends_sentence(one.text.split()[-1], word, language)
        for one, word in zip(shown, following, strict=False)
    ]
    return [*known, True] if shown else []


def _avoidable(shown: Sequence[Shown], ends: Sequence[bool]) -> int:
    """Runs of subtitles that hold one sentence which two lines and seven seconds could hold."""
    count, begun = 0, 0
    for at, end in enumerate(ends):
        if not end:
            continue
        run = shown[begun : at + 1]
        text = " ".join(one.text for one in run)
        lines = _greedy_lines(text)
        count += len(run) > 1 and lines <= 2 and run[-1].end - run[0].start <= 7.0
        begun = at + 1
    return count


def _greedy_lines(text: str) -> int:
    count, used = 1, -1
    for word in text.split():
        used += 1 + columns(word)
        if used > 42:
            count, used = count + 1, columns(word)
    return count


Writer = Callable[[Sequence[Segment], str], tuple[list[Shown], list[str]]]


def dropscribe(segments: Sequence[Segment], language: str) -> tuple[list[Shown], list[str]]:
    found = cues(segments, limits(Subtitles(), language), language)
    shown = [Shown(cue.start, cue.end, " ".join(cue.lines)) for cue in found]
    return shown, [line for cue in found for line in cue.lines]


def whisperx(segments: Sequence[Segment], language: str) -> tuple[list[Shown], list[str]]:
    """WhisperX's SRT writer, asked for two lines of 42 characters."""
    from whisperx.utils import WriteSRT  # noqa: PLC0415 - slow to import

    result = _as_dictionary(segments, language)
    options = {"max_line_width": 42, "max_line_count": 2, "highlight_words": False}
    text = io.StringIO()
    WriteSRT(".").write_result(result, text, options)
    return _parsed(text.getvalue())


def stable_ts(segments: Sequence[Segment], language: str) -> tuple[list[Shown], list[str]]:
    """stable-ts's default regrouping and SRT writer."""
    import stable_whisper  # type: ignore[import-not-found]  # noqa: PLC0415 - where it is installed

    result = stable_whisper.WhisperResult(_as_dictionary(segments, language, " "))
    result.regroup()
    result.split_by_length(max_chars=84)
    return _parsed(result.to_srt_vtt(word_level=False))


def _as_dictionary(segments: Sequence[Segment], language: str, space: str = "") -> dict[str, Any]:
    rows = []
    for segment in segments:
        row = asdict(segment)
        row = {key: row[key] for key in ("id", "start", "end", "text")}
        row["words"] = [
            {"word": space + word.word, "start": word.start, "end": word.end, "probability": 0.9}
            for word in segment.words
        ]
        rows.append(row)
    return {"segments": rows, "language": language}


def _parsed(srt: str) -> tuple[list[Shown], list[str]]:
    events = [event for event in pysubs2.SSAFile.from_string(srt, "srt") if event.plaintext.strip()]
    shown = [
        Shown(event.start / 1000, event.end / 1000, " ".join(event.plaintext.split()))
        for event in events
    ]
    return shown, [line for event in events for line in event.plaintext.splitlines()]


def measured(write: Writer, paths: Sequence[Path]) -> Figures:
    total = Figures()
    for path in paths:
        language = truth(path)["language"]
        shown, lines = write(sample_segments(path), language)
        total += figures(shown, language, lines)
    return total


def _print(rows: Mapping[str, Figures]) -> None:
    names = [field.name for field in fields(Figures)]
    print("\t".join(["", *names]).expandtabs(16))
    for program, row in rows.items():
        print("\t".join([program, *map(str, asdict(row).values())]).expandtabs(16))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("truth", nargs="*", type=Path, help="default: every sample's")
    paths = parser.parse_args().truth or sorted(SAMPLES.glob("*.truth.json"))
    timed = [path for path in paths if truth(path)["words"]]
    writers: dict[str, Writer] = {"dropscribe": dropscribe, "whisperX": whisperx}
    if importlib.util.find_spec("stable_whisper"):
        writers["stable-ts"] = stable_ts
    _print({name: measured(write, timed) for name, write in writers.items()})


if __name__ == "__main__":
    sys.exit(main())
