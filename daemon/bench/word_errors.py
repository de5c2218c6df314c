"""Word errors: what a transcript got wrong."""

from __future__ import annotations

import re
from dataclasses import dataclass

import jiwer

from daemon.alignment.spoken import spoken
from daemon.domain.transcript import spoken_units

_WORD = re.compile(r"[\w']+")


@dataclass(frozen=True, slots=True)
class WordErrors:
    """Words that were taken for others, left out and made up, and how many there are in truth."""

    substituted: int
    dropped: int
    inserted: int
    words: int

    @property
    def rate(self) -> float:
        return (self.substituted + self.dropped + self.inserted) / max(1, self.words)

    def __add__(self, other: WordErrors) -> WordErrors:
        return WordErrors(
            self.substituted + other.substituted,
            self.dropped + other.dropped,
            self.inserted + other.inserted,
            self.words + other.words,
        )


def word_errors(said: str, truth: str, language: str = "en") -> WordErrors:
    """Case, punctuation and the spelling of numbers do not count.

    In a script without spaces each character is a word.
    """
    heard, true = words(said, language), words(truth, language)
    if not true:
        return WordErrors(0, 0, len(heard), 0)
    if not heard:
        return WordErrors(0, len(true), 0, len(true))
    counted = jiwer.process_words(" ".join(true), " ".join(heard))
    return WordErrors(counted.substitutions, counted.deletions, counted.insertions, len(true))


def word_error_rate(said: str, truth: str, language: str = "en") -> float:
    return word_errors(said, truth, language).rate


def words(text: str, language: str = "en") -> list[str]:
    units = spoken_units(text.lower().replace("’", "'").replace("-", " "))
    return [word for unit in units for word in _WORD.findall(spoken(unit, language).lower())]
