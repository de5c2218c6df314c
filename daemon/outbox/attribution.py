"""Who said each word: turns and words are joined, and segments split where the speaker changes.

Pure. A word belongs to the speaker who speaks for most of it; where two do, to the one who was
speaking before; where nobody does, to the nearest turn.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import accumulate, groupby, pairwise

from daemon.domain.speakers import Diarization, Turn
from daemon.domain.transcript import Json, Segment

_NEAR = 1.0  # seconds from a turn at which a word may still belong to it
_STAYS = 0.2  # share of a word that another speaker must be ahead to take it


def labels(diarization: Diarization, names: Sequence[str]) -> tuple[str, ...]:
    """What each speaker is called: the given name, the track's own, or WhisperX's SPEAKER_00."""
    found: list[str] = []
    for number, voice in enumerate(diarization.voices):
        given = names[number] if number < len(names) else ""
        found.append(given or voice.name or f"SPEAKER_{number:02d}")
    return tuple(found)


def attribute(
    segments: Sequence[Segment], turns: Sequence[Turn], speakers: Sequence[str]
) -> tuple[Segment, ...]:
    """The segments with their speakers, split where these change.

    A segment keeps its id; where it is split, the later parts get ids of their own after the last.
    """
    timeline = _Timeline(turns)
    following = max((segment.id for segment in segments), default=-1) + 1
    found: list[Segment] = []
    before: int | None = None
    for segment in segments:
        parts = list(_parts(segment, timeline, before))
        for index, (part, speaker) in enumerate(parts):
            number, following = (part.id, following) if index == 0 else (following, following + 1)
            name = None if speaker is None else speakers[speaker]
            found.append(replace(part, id=number, speaker=name))
        before = parts[-1][1]
    return tuple(found)


def summary(diarization: Diarization, speakers: Sequence[str]) -> list[Json]:
    """For each speaker, how long it speaks, and how much of that while somebody else does."""
    seconds, overlapping = [0.0] * len(speakers), [0.0] * len(speakers)
    for start, end, speaking in _moments(diarization.turns):
        for speaker in speaking:
            seconds[speaker] += end - start
            overlapping[speaker] += end - start if len(speaking) > 1 else 0.0
    return [
        {
            "speaker": name,
            "seconds": round(seconds[number], 3),
            "overlap_seconds": round(overlapping[number], 3),
        }
        for number, name in enumerate(speakers)
    ]


def overlaps(diarization: Diarization, speakers: Sequence[str]) -> list[Json]:
    """Where several speak at once."""
    return [
        {
            "start": round(start, 3),
            "end": round(end, 3),
            "speakers": [speakers[speaker] for speaker in sorted(speaking)],
        }
        for start, end, speaking in _moments(diarization.turns)
        if len(speaking) > 1
    ]


class _Timeline:
    """Turns that can be asked for by time. They are sorted by start."""

    def __init__(self, turns: Sequence[Turn]) -> None:
        self._turns = sorted(turns, key=lambda turn: turn.start)
        self._starts = [turn.start for turn in self._turns]
        self._longest = max((turn.end - turn.start for turn in turns), default=0.0)

    def speaker(self, start: float, end: float, before: int | None) -> int | None:
        """Who speaks from `start` to `end` (seconds), if `before` spoke last."""
        near = self._between(start - _NEAR, end + _NEAR)
        spoken: dict[int, float] = {}
        for turn in near:
            if (shared := min(end, turn.end) - max(start, turn.start)) > 0:
                spoken[turn.speaker] = spoken.get(turn.speaker, 0.0) + shared
        if spoken:
            bonus = _STAYS * (end - start)
            return max(spoken, key=lambda one: spoken[one] + (bonus if one == before else 0.0))
        if near:
            return min(near, key=lambda turn: max(turn.start - end, start - turn.end)).speaker
        return before

    def _between(self, start: float, end: float) -> list[Turn]:
        first = bisect_left(self._starts, start - self._longest)
        last = bisect_right(self._starts, end)
        return [turn for turn in self._turns[first:last] if turn.end >= start]


def _parts(
    segment: Segment, timeline: _Timeline, before: int | None
) -> Iterator[tuple[Segment, int | None]]:
    """The segment's parts, each with its speaker."""
    if not _borders(segment):
        yield segment, timeline.speaker(segment.start, segment.end, before)
        return
    spoken: list[int | None] = []
    for word in segment.words:
        before = timeline.speaker(word.start, word.end, before)
        spoken.append(before)
    runs = [(speaker, len(list(run))) for speaker, run in groupby(spoken)]
    ends = list(accumulate(length for _, length in runs))
    parts = split_at(segment, ends)
    yield from zip(parts, (speaker for speaker, _ in runs), strict=True)


def split_at(segment: Segment, words: Sequence[int]) -> Iterator[Segment]:
    """The segment's parts before each of these words, which are indices in order.

    Unsplit where its words are not its text.
    """
    borders = _borders(segment)
    edges = [0, *(at for at in words if 0 < at < len(segment.words)), len(segment.words)]
    if not borders or len(edges) == 2:
        yield segment
        return
    for first, last in pairwise(edges):
        if first == last:
            continue
        is_last = last == len(segment.words)
        yield replace(
            segment,
            start=segment.start if first == 0 else segment.words[first].start,
            end=segment.end if is_last else segment.words[last - 1].end,
            text=segment.text[borders[first] : borders[last]].strip(),
            words=segment.words[first:last],
        )


def _borders(segment: Segment) -> list[int]:
    """Where each word begins in the text, and its length; empty if the words are not its text."""
    found: list[int] = []
    at = 0
    for word in segment.words:
        at = segment.text.find(word.word, at)
        if at < 0:
            return []
        found.append(at)
        at += len(word.word)
    if not found:
        return []
    return [0, *found[1:], len(segment.text)]


def _moments(turns: Sequence[Turn]) -> Iterator[tuple[float, float, frozenset[int]]]:
    """(start, end, who speaks), in order, wherever somebody speaks."""
    changes = sorted(
        (at, begins, turn.speaker)
        for turn in turns
        for at, begins in ((turn.start, True), (turn.end, False))
    )
    speaking: list[int] = []
    since = 0.0
    for at, begins, speaker in changes:
        if speaking and at > since:
            yield since, at, frozenset(speaking)
        since = at
        if begins:
            speaking.append(speaker)
        else:
            speaking.remove(speaker)
