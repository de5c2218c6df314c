"""How far a delivered transcript is from what was really said: word errors, word-start errors."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

Json = dict[str, Any]

AUDIO = Path(__file__).parents[1] / "audio"


def truth_of(sample: str) -> Json:
    """What was said in a sample, by its stem: text, language, and each word's times."""
    truth: Json = json.loads((AUDIO / f"{sample}.truth.json").read_bytes())
    return truth


def plain(text: str) -> list[str]:
    """The words of a text, lower-case and without punctuation."""
    return re.findall(r"[\w']+", text.lower().replace("’", "'"))


def word_error_rate(said: str, truth: str) -> float:
    """Levenshtein distance in words, over the number of words in the truth."""
    expected, heard = plain(truth), plain(said)
    row = list(range(len(heard) + 1))
    for at, word in enumerate(expected, start=1):
        previous, row = row, [at]
        for column, other in enumerate(heard, start=1):
            substituted = previous[column - 1] + (word != other)
            row.append(min(substituted, previous[column] + 1, row[-1] + 1))
    return row[-1] / len(expected)


def start_errors(words: Iterable[Mapping[str, Any]], sample: str) -> list[float]:
    """Seconds between each heard word's start and its true start, for the words that agree."""
    heard = [(word["start"], part) for word in words for part in plain(word["word"])[:1]]
    true = [
        (word["start"], part)
        for word in truth_of(sample)["words"]
        for part in plain(word["word"])[:1]
    ]
    pairs = SequenceMatcher(None, [w for _, w in heard], [w for _, w in true], autojunk=False)
    return [
        abs(heard[block.a + at][0] - true[block.b + at][0])
        for block in pairs.get_matching_blocks()
        for at in range(block.size)
    ]


def percentile(values: Iterable[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
