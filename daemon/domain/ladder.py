"""Which word times a segment gets: those of the aligner, Whisper's own, or evenly spread ones.

The aligner's mean score decides. A model for another language, or one that does not hear this
voice, gives times for every word, too; but its scores are low. The mean of few words says little:
one misheard word of two must not turn away an aligner that hears the rest of the recording well. So
a segment's mean is drawn towards the recording's, the more the fewer words it has (shrinkage, as of
James and Stein).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from statistics import fmean

from daemon.domain.transcript import (
    Alignment,
    AlignmentStatus,
    Segment,
    Word,
    WordSource,
    spoken_units,
)

FIT = 0.5  # mean score of a segment's words from which the aligner has heard them
_PRIOR = 2  # words for which the recording's mean counts in each segment's
_NAMED = 10  # segments that the reason lists

Words = tuple[Word, ...]


@dataclass(frozen=True, slots=True)
class Aligned:
    """What the aligner made of a segment: words, or the reason why there are none."""

    words: Words
    reason: str = ""

    @property
    def scores(self) -> list[float]:
        """Of the words that were heard."""
        return [word.score for word in self.words if word.source is WordSource.ALIGNED]

    def fits(self, recording: float) -> bool:
        """Whether its words are to be believed, where the whole recording's mean score is that."""
        scores = self.scores
        total = sum(scores) + _PRIOR * recording
        return not scores or total / (len(scores) + _PRIOR) >= FIT


_NOT_TRIED = Aligned((), "it is in another language")


def climb(
    segments: Sequence[Segment], aligned: Mapping[int, Aligned], model: str, without: str = ""
) -> Alignment:
    """The words of every segment, and how it went.

    `segments` are TRANSCRIBE's, with Whisper's own word times where it was asked for them;
    `aligned` has what the aligner made of them, by id; `without` says why there was no aligner.
    """
    if without:
        own = {segment.id: segment.words for segment in segments if segment.words}
        if not own:
            return Alignment(AlignmentStatus.FAILED, without, model, {})
        reason = f"{without}: the words have Whisper's own times"
        return Alignment(AlignmentStatus.PARTIAL, reason, "", own)
    words: dict[int, Words] = {}
    missing: dict[int, str] = {}
    scores = [score for tried in aligned.values() for score in tried.scores]
    mean = fmean(scores) if scores else 0.0
    for segment in segments:
        tried = aligned.get(segment.id, _NOT_TRIED)
        if tried.words and tried.fits(mean):
            words[segment.id] = tried.words
            continue
        missing[segment.id], words[segment.id] = _lower_rung(segment, tried)
    words = {id_: found for id_, found in words.items() if found}
    if not missing:
        return Alignment(AlignmentStatus.COMPLETE, "", model, words)
    status = AlignmentStatus.PARTIAL if words else AlignmentStatus.FAILED
    return Alignment(status, _reason(missing, len(segments), words), model, words)


def _lower_rung(segment: Segment, tried: Aligned) -> tuple[str, Words]:
    """Why the aligner's words do not count, and what there is instead."""
    reason = tried.reason or "the alignment model did not hear these words"
    if segment.words:
        return f"{reason}: Whisper's own times", segment.words
    if tried.words:
        return f"{reason}: evenly spread", tuple(spread(segment))
    return reason, ()


def spread(segment: Segment) -> Iterator[Word]:
    """The segment's words, each with its share of the time by its length."""
    units = spoken_units(segment.text)
    letters = [0]
    for unit in units:
        letters.append(letters[-1] + len(unit))
    seconds = (segment.end - segment.start) / max(1, letters[-1])
    for unit, (first, last) in zip(units, pairwise(letters), strict=True):
        start, end = segment.start + first * seconds, segment.start + last * seconds
        yield Word(unit, round(start, 3), round(end, 3), 0.0, WordSource.INTERPOLATED)


def _reason(missing: Mapping[int, str], total: int, words: Mapping[int, Words]) -> str:
    without = {id_: reason for id_, reason in missing.items() if id_ not in words}
    if without:
        named = [f"{id_} ({reason})" for id_, reason in sorted(without.items())[:_NAMED]]
        more = ", …" if len(without) > _NAMED else ""
        yielded = f"{len(without)} of {total} segments have no word times: {', '.join(named)}{more}"
        rest = len(missing) - len(without)
        return f"{yielded}; {rest} have rougher ones" if rest else yielded
    commonest = max(set(missing.values()), key=list(missing.values()).count)
    return f"{len(missing)} of {total} segments have rougher word times: {commonest}"
