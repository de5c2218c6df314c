"""Words that the recogniser mishears, put right as the user says; the words' times stay."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import accumulate

from daemon.domain.transcript import Segment, Word, WordSource

# The punctuation around a word, which is no part of it.
_EDGES = re.compile(r"""^(["'“„«‹(\[¿¡]*)(.*?)(["'”“»›)\].,;:!?…。、，！？]*)$""", re.DOTALL)


def corrected(segments: Sequence[Segment], wanted: Mapping[str, str]) -> tuple[Segment, ...]:
    """Every segment with its text and its words corrected. Pure, and the same each time.

    A phrase is found whatever its case, as whole words; the longest is tried first. Where a phrase
    keeps its number of words, each keeps its times; else the new words share the old ones' time
    by their lengths, as `interpolated`.
    """
    if not wanted:
        return tuple(segments)
    phrases = sorted(wanted, key=len, reverse=True)
    either = "|".join(r"\s+".join(map(re.escape, phrase.split())) for phrase in phrases)
    pattern = re.compile(rf"(?<!\w)(?:{either})(?!\w)", re.IGNORECASE)
    new = {" ".join(phrase.lower().split()): text for phrase, text in wanted.items()}

    def text_for(found: re.Match[str]) -> str:
        return new[" ".join(found[0].lower().split())]

    return tuple(
        replace(
            segment,
            text=pattern.sub(text_for, segment.text),
            words=_words(segment.words, new) if pattern.search(segment.text) else segment.words,
        )
        for segment in segments
    )


def _words(words: Sequence[Word], wanted: Mapping[str, str]) -> tuple[Word, ...]:
    longest = max(len(phrase.split()) for phrase in wanted)
    result: list[Word] = []
    at = 0
    while at < len(words):
        for count in range(min(longest, len(words) - at), 0, -1):
            run = words[at : at + count]
            said = " ".join(_bare(word.word) for word in run).lower()
            if said in wanted:
                result.extend(_in_place_of(run, wanted[said].split()))
                at += count
                break
        else:
            result.append(words[at])
            at += 1
    return tuple(result)


def _in_place_of(run: Sequence[Word], texts: Sequence[str]) -> list[Word]:
    """`texts` at the times of `run`, within the punctuation that stood around it."""
    if not texts:
        return []
    before, after = _EDGES.match(run[0].word)[1], _EDGES.match(run[-1].word)[3]  # type: ignore[index]
    spelt = [*texts]
    spelt[0] = before + spelt[0]
    spelt[-1] = spelt[-1] + after
    if len(spelt) == len(run):
        return [replace(word, word=text) for word, text in zip(run, spelt, strict=True)]
    start, end = run[0].start, run[-1].end
    if len(spelt) == 1:
        score = min(word.score for word in run)
        return [replace(run[0], word=spelt[0], start=start, end=end, score=score)]
    shares = list(accumulate(len(text) for text in texts))
    edges = [start, *(round(start + (end - start) * share / shares[-1], 3) for share in shares)]
    edges[-1] = end
    return [
        Word(text, first, last, 0.0, WordSource.INTERPOLATED)
        for text, first, last in zip(spelt, edges, edges[1:], strict=False)
    ]


def _bare(word: str) -> str:
    found = _EDGES.match(word)
    return found[2] if found else word
