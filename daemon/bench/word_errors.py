"""Word errors: what a transcript got wrong."""

from __future__ import annotations

import re
from collections.abc import Sequence


def word_error_rate(said: str, truth: str) -> float:
    """Levenshtein distance in words over the truth's length; case and punctuation do not count."""
    return distance(words(said), words(truth)) / max(1, len(words(truth)))


def words(text: str) -> list[str]:
    return re.findall(r"[\w']+", text.lower().replace("’", "'"))


def distance(said: Sequence[str], truth: Sequence[str]) -> int:
    """How many words must be inserted, removed or replaced to make `said` the truth."""
    row = list(range(len(said) + 1))
    for count, word in enumerate(truth, start=1):
        diagonal, row[0] = row[0], count
        for column, other in enumerate(said, start=1):
            replaced = diagonal + (word != other)
            diagonal = row[column]
            row[column] = min(replaced, diagonal + 1, row[column - 1] + 1)
    return row[-1]
