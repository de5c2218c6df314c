"""Words and segments from JSON, and coverage."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.transcript import (
    Alignment,
    AlignmentStatus,
    Recognition,
    Segment,
    Word,
    WordSource,
    coverage,
)
from daemon.domain.validation import from_json, to_json

_sane_words = st.builds(
    Word, st.text(), *[st.floats(0, 1e5)] * 2, st.floats(0, 1), st.sampled_from(WordSource)
)


def _word(start: float, end: float, source: WordSource = WordSource.ALIGNED) -> Word:
    return Word("word", start, end, 0.5, source)


def _segment(start: float, end: float, *words: Word, text: str = "some words") -> Segment:
    return Segment(0, start, end, text, -0.1, 0.0, words)


@given(_sane_words)
def test_a_word_survives_json(word: Word) -> None:
    segment = Segment(3, 0.0, 1.0, "text", -0.5, 0.1, (word,))
    assert from_json(Segment, json.dumps(to_json(segment))) == segment


def test_artefacts_survive_json() -> None:
    words = (_word(0.0, 1.0),)
    recognition = Recognition(
        "de", 0.9, (_segment(0, 1, *words),), "mlx", "cpu", "m", "r", {"a": "1"}
    )
    assert from_json(Recognition, json.dumps(to_json(recognition))) == recognition
    alignment = Alignment(AlignmentStatus.PARTIAL, "why", "m", {7: words})
    assert from_json(Alignment, json.dumps(to_json(alignment))) == alignment


@pytest.mark.parametrize(
    "change",
    [
        {"start": "1"},
        {"start": math.nan},
        {"end": None},
        {"word": 3},
        {"score": True},
        {"source": "?"},
        {"end": 1e9},
        {"word": "x" * 5_000},
    ],
)
def test_a_word_that_is_none_is_refused(change: dict[str, Any]) -> None:
    data = {"word": "w", "start": 0.0, "end": 1.0, "score": 1.0, "source": "aligned"}
    with pytest.raises(ValueError, match=r".+"):
        from_json(Word, json.dumps(data | change))


def test_text_that_is_no_utf8_is_refused() -> None:
    data = {"word": "\ud800", "start": 0.0, "end": 1.0, "score": 1.0, "source": "aligned"}
    with pytest.raises(ValueError, match="no JSON"):
        from_json(Word, json.dumps(data))


@pytest.mark.parametrize("raw", ['{"x":' * 100_000, b"\xff", "", '{"word": NaN}'])
def test_what_is_no_json_is_refused(raw: str | bytes) -> None:
    with pytest.raises(ValueError, match=r"JSON|nested"):
        from_json(Word, raw)


def test_a_word_that_is_not_among_those_that_may_be_is_not_quoted() -> None:
    data = {"word": "w", "start": 0.0, "end": 1.0, "score": 1.0, "source": "a secret"}
    with pytest.raises(ValueError, match="Invalid value") as refused:
        from_json(Word, json.dumps(data))
    assert "secret" not in str(refused.value)


def test_numbers_of_numpy_are_written_as_numbers() -> None:
    heard = _word(np.float64(0.25), 1)
    assert from_json(Word, json.dumps(to_json(heard))) == heard


def test_a_problem_is_named_without_quoting_what_was_said() -> None:
    data = {"word": "a secret", "start": "a secret", "end": 1.0, "score": 1.0, "source": "aligned"}
    with pytest.raises(ValueError, match="Expected `float`, got `str`") as refused:
        from_json(Word, json.dumps(data))
    assert "secret" not in str(refused.value)
    assert refused.value.__cause__ is None


def test_coverage_counts_the_words_that_were_heard() -> None:
    heard, guessed = _word(0, 1), _word(1, 2, WordSource.INTERPOLATED)
    assert coverage([_segment(0, 2, heard, guessed, text="two words")]) == 0.5
    assert coverage([_segment(0, 2, text="two words")]) == 0.0
    assert coverage([_segment(0, 2, heard, guessed, text="三位")]) == 0.5  # no spaces
    assert coverage([]) == 1.0
