"""Words get their speakers, and segments are split where these change."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.speakers import Diarization, DiarizationStatus, Turn, Voice
from daemon.domain.transcript import Segment, Word, WordSource
from daemon.outbox.attribution import attribute, labels, overlaps, summary

NAMES = ("Ada", "Bob", "Cy")


def _segment(text: str, words: Sequence[tuple[str, float, float]], number: int = 0) -> Segment:
    spoken = tuple(Word(word, start, end, 0.9, WordSource.ALIGNED) for word, start, end in words)
    start, end = (words[0][1], words[-1][2]) if words else (0.0, 4.0)
    return Segment(number, start, end, text, -0.1, 0.0, spoken)


def _said(segments: Sequence[Segment]) -> list[tuple[str | None, str]]:
    return [(segment.speaker, segment.text) for segment in segments]


def test_a_segment_is_split_where_the_speaker_changes() -> None:
    words = [("Are", 0.0, 0.3), ("you", 0.3, 0.5), ("there?", 0.5, 1.0), ("Yes,", 1.2, 1.6)]
    segment = _segment(" Are you there? Yes, I am.", [*words, ("I", 1.6, 1.7), ("am.", 1.7, 2.0)])
    found = attribute([segment], [Turn(0.0, 1.1, 0), Turn(1.1, 2.0, 1)], NAMES)
    assert _said(found) == [("Ada", "Are you there?"), ("Bob", "Yes, I am.")]
    assert [(one.start, one.end) for one in found] == [(0.0, 1.0), (1.2, 2.0)]
    assert [one.id for one in found] == [0, 1]
    assert [len(one.words) for one in found] == [3, 3]


def test_a_writing_without_spaces_is_split_between_its_words() -> None:
    segment = _segment("你好我是李", [("你好", 0.0, 1.0), ("我是李", 1.0, 2.0)])
    found = attribute([segment], [Turn(0.0, 1.0, 0), Turn(1.0, 2.0, 1)], NAMES)
    assert _said(found) == [("Ada", "你好"), ("Bob", "我是李")]


def test_a_segment_without_words_belongs_to_the_one_who_speaks_most_of_it() -> None:
    found = attribute([_segment("Yes.", [])], [Turn(0.0, 1.0, 0), Turn(1.0, 4.0, 1)], NAMES)
    assert _said(found) == [("Bob", "Yes.")]


def test_words_that_are_not_the_text_leave_the_segment_whole() -> None:
    segment = _segment("It cost 5 euros", [("five", 0.0, 1.0), ("euros", 1.0, 2.0)])
    found = attribute([segment], [Turn(0.0, 0.8, 0), Turn(0.8, 2.0, 1)], NAMES)
    assert _said(found) == [("Bob", "It cost 5 euros")]


def test_where_two_speak_the_one_who_spoke_before_keeps_the_word() -> None:
    segment = _segment("one two", [("one", 0.0, 1.0), ("two", 1.0, 2.0)])
    for first, second in ((0, 1), (1, 0)):
        turns = [Turn(0.0, 1.95, first), Turn(1.0, 2.0, second)]
        assert _said(attribute([segment], turns, NAMES)) == [(NAMES[first], "one two")]


def test_a_word_outside_of_all_turns_goes_to_the_nearest_or_to_nobody() -> None:
    near, far = _segment("hm", [("hm", 2.5, 2.8)]), _segment("hm", [("hm", 50.0, 50.3)])
    turns = [Turn(0.0, 1.6, 0), Turn(3.0, 4.0, 1)]
    assert _said(attribute([near], turns, NAMES)) == [("Bob", "hm")]
    assert _said(attribute([far], turns, NAMES)) == [(None, "hm")]
    assert _said(attribute([near], [], NAMES)) == [(None, "hm")]


def test_later_parts_get_ids_after_the_last() -> None:
    words = [("a", 0.0, 1.0), ("b", 1.0, 2.0)]
    segments = [_segment("a b", words, 0), _segment("c", [("c", 2.0, 3.0)], 1)]
    found = attribute(segments, [Turn(0.0, 1.0, 0), Turn(1.0, 3.0, 1)], NAMES)
    assert [one.id for one in found] == [0, 2, 1]


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(0, 3), st.integers(0, 2)), max_size=8))
def test_no_word_is_lost_or_doubled(spans: list[tuple[float, float, int]]) -> None:
    words = [(f"w{index}", index * 0.5, index * 0.5 + 0.4) for index in range(20)]
    segment = _segment(" ".join(word for word, _, _ in words), words)
    turns = sorted((Turn(at, at + length, who) for at, length, who in spans), key=lambda t: t.start)
    found = attribute([segment], turns, NAMES)
    assert " ".join(one.text for one in found) == segment.text
    assert tuple(word for one in found for word in one.words) == segment.words
    assert len({one.id for one in found}) == len(found)
    assert all(left.speaker != right.speaker for left, right in pairwise(found))


def test_speakers_and_overlaps_are_counted() -> None:
    turns = (Turn(0.0, 4.0, 0), Turn(3.0, 6.0, 1), Turn(7.0, 8.0, 0))
    found = Diarization(DiarizationStatus.COMPLETE, voices=(Voice(), Voice()), turns=turns)
    assert summary(found, NAMES[:2]) == [
        {"speaker": "Ada", "seconds": 5.0, "overlap_seconds": 1.0},
        {"speaker": "Bob", "seconds": 3.0, "overlap_seconds": 1.0},
    ]
    assert overlaps(found, NAMES) == [{"start": 3.0, "end": 4.0, "speakers": ["Ada", "Bob"]}]


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        ((), ("SPEAKER_00", "Boom")),
        (("Ada",), ("Ada", "Boom")),
        (("", "Bob", "Cy"), ("SPEAKER_00", "Bob")),
    ],
)
def test_names(names: tuple[str, ...], expected: tuple[str, ...]) -> None:
    found = Diarization(DiarizationStatus.COMPLETE, voices=(Voice(), Voice(name="Boom")))
    assert labels(found, names) == expected
