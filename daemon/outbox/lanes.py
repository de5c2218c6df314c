"""From lanes back to recordings: a transcript for each track, or one in which channels meet.

PREPARE laid tracks or channels behind one another, and everything since has its times in that row.
Pure.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from daemon.domain.speakers import Diarization, Turn
from daemon.domain.transcript import Doubt, Recognition, Segment, Word
from daemon.handoff.artefacts import Lane
from daemon.outbox.attribution import split_at
from daemon.outbox.timestamps import settle_times


def recognition_of(recognition: Recognition, lane: Lane) -> Recognition:
    """What was said in a track, in its own seconds and its own language."""
    segments = [
        _moved(segment, -lane.offset) for segment in recognition.segments if _is_in(segment, lane)
    ]
    language = _language(recognition, segments)
    return replace(
        recognition,
        language=language,
        segments=tuple(
            replace(segment, language=_if_not(segment.language or recognition.language, language))
            for segment in segments
        ),
        check=tuple(
            _doubt_in(doubt, lane) for doubt in recognition.check if _begins_in(doubt.start, lane)
        ),
    )


def words_of(
    words: Mapping[int, tuple[Word, ...]], recognition: Recognition, lane: Lane
) -> dict[int, tuple[Word, ...]]:
    """The words of the segments of `recognition`, which is a track's, in the track's seconds."""
    return {
        segment.id: tuple(_at(word, -lane.offset) for word in words[segment.id])
        for segment in recognition.segments
        if segment.id in words
    }


def turns_of(diarization: Diarization, lane: Lane) -> Diarization:
    """Who speaks in a track; speakers of other tracks are none of it."""
    end = lane.offset + lane.seconds
    inside = [turn for turn in diarization.turns if lane.offset <= turn.start < end]
    used = sorted({turn.speaker for turn in inside})
    return replace(
        diarization,
        voices=tuple(diarization.voices[speaker] for speaker in used),
        turns=tuple(
            Turn(
                turn.start - lane.offset,
                min(turn.end, end) - lane.offset,
                used.index(turn.speaker),
            )
            for turn in inside
        ),
    )


def merged(
    segments: Sequence[Segment], lanes: Sequence[Lane], speakers: Sequence[str], duration: float
) -> tuple[Segment, ...]:
    """The segments of all channels by start, with the channel's speaker, if `speakers` are known.

    Where somebody begins to speak while another does, the other's segment is parted there, so that
    what is read is in the order in which it was said. Times overlap where people do.
    """
    by_lane = []
    for number, lane in enumerate(lanes):
        name = speakers[number] if number < len(speakers) else None
        own = [
            replace(_moved(segment, -lane.offset), speaker=name)
            for segment in segments
            if _is_in(segment, lane)
        ]
        by_lane.append(settle_times(own, min(duration, lane.seconds)))
    parts = [part for number in range(len(lanes)) for part in _parted(by_lane, number)]
    ordered = sorted(parts, key=lambda part: (part.start, part.end))
    return tuple(replace(part, id=number) for number, part in enumerate(ordered))


def checks(check: Sequence[Doubt], lanes: Sequence[Lane]) -> tuple[Doubt, ...]:
    """The doubtful spots of all channels, in the recording's seconds, the worst first."""
    return tuple(
        _doubt_in(doubt, next((lane for lane in lanes if _begins_in(doubt.start, lane)), lanes[0]))
        for doubt in check
    )


def _parted(by_lane: Sequence[Sequence[Segment]], number: int) -> Iterator[Segment]:
    """The segments of a lane, cut where a segment of another one begins."""
    others = (lane for index, lane in enumerate(by_lane) if index != number)
    begins = sorted(segment.start for lane in others for segment in lane)
    for segment in by_lane[number]:
        first = bisect_left(begins, segment.start)
        cuts = begins[first : bisect_left(begins, segment.end)]
        words = [bisect_left([word.start for word in segment.words], cut) for cut in cuts]
        yield from split_at(segment, words)


def _doubt_in(doubt: Doubt, lane: Lane) -> Doubt:
    """In the lane's seconds."""
    start = max(doubt.start - lane.offset, 0.0)
    return replace(doubt, start=start, end=max(doubt.end - lane.offset, start))


def _language(recognition: Recognition, segments: Sequence[Segment]) -> str:
    """The one that is spoken longest."""
    seconds = Counter[str]()
    for one in segments:
        seconds[one.language or recognition.language] += round(1000 * (one.end - one.start))
    return seconds.most_common(1)[0][0] if seconds else recognition.language


def _if_not(language: str, usual: str) -> str | None:
    return None if language == usual else language


def _is_in(segment: Segment, lane: Lane) -> bool:
    return _begins_in((segment.start + segment.end) / 2, lane)


def _begins_in(moment: float, lane: Lane) -> bool:
    """Whether it lies in the lane; the silence around it counts half."""
    return lane.offset - 15.0 <= moment < lane.offset + lane.seconds + 15.0


def _moved(segment: Segment, by: float) -> Segment:
    words = tuple(_at(word, by) for word in segment.words)
    start = max(segment.start + by, 0.0)
    return replace(segment, start=start, end=max(segment.end + by, start), words=words)


def _at(word: Word, by: float) -> Word:
    start = max(word.start + by, 0.0)
    return replace(word, start=start, end=max(word.end + by, start))
