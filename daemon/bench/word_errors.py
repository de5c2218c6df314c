"""Word errors: what a transcript got wrong."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import jiwer

from daemon.alignment.spoken import Reading, is_ambiguous, spoken
from daemon.domain.transcript import spoken_units

_WORD = re.compile(r"[\w']+")
_ZERO = {"oh", "o"}  # as English says it among digits
_ENGLISH_DIGITS = frozenset(spoken(str(digit), "en") for digit in range(10))

_Readings = tuple[tuple[str, ...], ...]  # what a word may sound like, the plain number first


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Words that were taken for others, left out and made up, and how many there are in truth."""

    substituted: int
    dropped: int
    inserted: int
    words: int

    @property
    def rate(self) -> float:
        return self.errors / max(1, self.words)

    @property
    def errors(self) -> int:
        return self.substituted + self.dropped + self.inserted

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.substituted + other.substituted,
            self.dropped + other.dropped,
            self.inserted + other.inserted,
            self.words + other.words,
        )


def word_errors(said: str, truth: str, language: str = "en") -> WordErrors:
    """Case, punctuation and the spelling of numbers do not count.

    In a script without spaces each character is a word. Figures are read in whichever way fits the
    other text best: as a number, as a year or digit by digit. The words of the truth are counted
    with plain numbers, so that every transcript of a recording is measured against as many.
    """
    heard, true = list(_readings(said, language)), list(_readings(truth, language))
    count = len(_plain(true, language))
    best = _compare(_plain(true, language), _plain(heard, language), count)
    for readings in (heard, true):
        for at, alternatives in enumerate(readings):
            for reading in alternatives[1:]:
                before, readings[at] = readings[at], (reading,)
                tried = _compare(_plain(true, language), _plain(heard, language), count)
                if tried.errors < best.errors:
                    best = tried
                else:
                    readings[at] = before
    return best


def word_error_rate(said: str, truth: str, language: str = "en") -> float:
    return word_errors(said, truth, language).rate


def words(text: str, language: str = "en") -> list[str]:
    """The words of `text` as they are compared, with plain numbers."""
    return _plain(list(_readings(text, language)), language)


def _compare(true: Sequence[str], heard: Sequence[str], count: int) -> WordErrors:
    if not true or not heard:
        return WordErrors(0, len(true), len(heard), count)
    counted = jiwer.process_words(" ".join(true), " ".join(heard))
    return WordErrors(counted.substitutions, counted.deletions, counted.insertions, count)


def _readings(text: str, language: str) -> Iterator[_Readings]:
    for unit in spoken_units(text.lower().replace("’", "'").replace("-", " ")):
        if not is_ambiguous(unit):
            yield (_words_of(unit, language, Reading.NUMBER),)
            continue
        said = [_words_of(unit, language, reading) for reading in Reading]
        if language == "en":  # Americans say "nine hundred twenty"
            said += [tuple(word for word in reading if word != "and") for reading in said]
        yield tuple(dict.fromkeys(said))


def _words_of(unit: str, language: str, reading: Reading) -> tuple[str, ...]:
    return tuple(_WORD.findall(spoken(unit, language, reading).lower()))


def _plain(readings: Sequence[_Readings], language: str) -> list[str]:
    """The words of the first readings; among English digits "oh" is zero."""
    plain = list(chain.from_iterable(first for first, *_ in readings))
    if language != "en":
        return plain
    for at, word in enumerate(plain):
        beside = plain[max(0, at - 1) : at + 2]
        if word in _ZERO and any(other in _ENGLISH_DIGITS for other in beside):
            plain[at] = "zero"
    return plain
