"""NAME.json, read with distrust."""

from __future__ import annotations

from typing import Any

import pytest

from daemon.domain.transcript import WordSource
from daemon.rendering.transcript import Spot, Transcript


def _read(**fields: Any) -> Transcript:  # noqa: ANN401
    return Transcript.from_document({"segments": [], **fields}, "memo")


def test_whisperx_json_is_enough() -> None:
    """It has neither provenance nor duration, and words without times."""
    words = [{"word": "In", "start": 0.1, "end": 0.2, "score": 0.5}, {"word": "1982"}]
    segment = {"start": 0.0, "end": 1.0, "text": " In 1982", "words": words}
    found = _read(segments=[segment], language="en")
    assert found.segments[0].text == "In 1982"
    assert [(word.word, word.source) for word in found.segments[0].words] == [
        ("In", WordSource.ALIGNED)
    ]
    assert (found.duration, found.source) == (1.0, "memo")


def test_what_other_programs_would_stumble_over_is_gone() -> None:
    segment = {"start": 0, "end": 1, "text": "a\x00b\ud800c\u2028 d"}
    assert _read(segments=[segment]).segments[0].text == "abc d"


def test_times_never_go_back() -> None:
    rows = [
        {"start": 5, "end": 2, "text": "a", "words": [{"word": "a", "start": 9, "end": 1}]},
        {"start": 1, "end": 6, "text": "b"},
    ]
    first, second = _read(segments=rows).segments
    assert (first.start, first.end, second.start, second.end) == (5, 5, 5, 6)
    assert first.start <= first.words[0].start <= first.words[0].end


def test_the_spots_worth_a_listen() -> None:
    found = _read(check=[{"start": 1.0, "end": 2.0, "reason": "unsure"}])
    assert found.check == (Spot(1.0, 2.0, "unsure"),)


@pytest.mark.parametrize(
    "fields",
    [
        {"segments": [{"start": float("nan"), "end": 1, "text": "a"}]},
        {"segments": [{"start": "0", "end": 1, "text": "a"}]},
        {"segments": [{"text": "a"}]},
        {"segments": 3},
        {"provenance": ["x"]},
    ],
)
def test_what_is_no_transcript_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises((ValueError, TypeError, KeyError)):
        _read(**fields)
