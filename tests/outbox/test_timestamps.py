"""Whatever the models say, the times that people get are in order."""

from __future__ import annotations

import math

from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.transcript import Segment, Word, WordSource
from daemon.outbox.timestamps import settle_times

_any_time = st.floats(-5, 50) | st.sampled_from([math.nan, math.inf, -math.inf])
_words = st.builds(
    Word, st.just("word"), _any_time, _any_time, _any_time, st.sampled_from(WordSource)
)
_segments = st.builds(
    Segment,
    st.integers(0, 9),
    _any_time,
    _any_time,
    st.just("text"),
    st.floats(-5, 0),
    st.floats(0, 1),
    st.lists(_words, max_size=5).map(tuple),
)


def _word(start: float, end: float) -> Word:
    return Word("word", start, end, 0.5, WordSource.ALIGNED)


def _segment(start: float, end: float, *words: Word) -> Segment:
    return Segment(0, start, end, "some words", -0.1, 0.0, words)


@given(st.lists(_segments, max_size=6), st.floats(0, 40))
def test_settled_times_are_finite_rounded_monotonic_and_inside(
    segments: list[Segment], duration: float
) -> None:
    settled = settle_times(segments, duration)
    words = [word for segment in settled for word in segment.words]
    for spans in (settled, words):
        starts = [span.start for span in spans]
        assert starts == sorted(starts)
        for span in spans:
            assert 0 <= span.start <= span.end <= duration
            assert (round(span.start, 3), round(span.end, 3)) == (span.start, span.end)
    for segment in settled:
        assert all(segment.start <= word.start <= word.end <= segment.end for word in segment.words)
    assert all(0 <= word.score <= 1 for word in words)


@given(st.lists(_segments, max_size=6), st.floats(0, 40))
def test_settled_times_are_settled(segments: list[Segment], duration: float) -> None:
    settled = settle_times(segments, duration)
    assert settle_times(settled, duration) == settled


def test_good_times_stay_as_they_are() -> None:
    segment = _segment(1.001, 4.35, _word(1.001, 2.0), _word(2.0, 4.35))
    assert settle_times([segment], 4.35) == (segment,)


def test_the_last_millisecond_is_not_lost_to_rounding() -> None:
    for milliseconds in range(1, 5000):
        duration = milliseconds / 1000
        (segment,) = settle_times([_segment(0.0, duration)], duration)
        assert segment.end == duration


def test_words_stay_in_order_even_where_segments_overlap() -> None:
    first = _segment(0.0, 10.0, _word(1.0, 2.0), _word(9.0, 9.5))
    second = _segment(5.0, 12.0, _word(5.0, 6.0), _word(11.0, 12.0))
    settled = settle_times([first, second], 12.0)
    assert settled[0] == first
    assert [word.start for word in settled[1].words] == [9.0, 11.0]


def test_a_duration_between_two_milliseconds_is_not_exceeded() -> None:
    (segment,) = settle_times([_segment(0.0, 2.0)], 1.0009)
    assert segment.end == 1.0
