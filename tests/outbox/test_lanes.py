"""daemon.outbox.lanes: tracks become transcripts of their own, channels meet in one."""

from __future__ import annotations

from itertools import pairwise

import pytest

from daemon.domain.speakers import Diarization, DiarizationStatus, Turn, Voice
from daemon.domain.transcript import Doubt, Recognition, Segment, Word, WordSource
from daemon.handoff.artefacts import Lane
from daemon.outbox import lanes

FIRST, SECOND = Lane("left", 0.0, 60.0), Lane("right", 100.0, 60.0)


def _segment(number: int, text: str, start: float, step: float = 1.0) -> Segment:
    """Words that begin `step` seconds apart."""
    words = tuple(
        Word(word, start + step * at, start + step * (at + 0.9), 1.0, WordSource.ALIGNED)
        for at, word in enumerate(text.split())
    )
    return Segment(number, start, words[-1].end, text, -0.1, 0.0, words)


def _recognition(*segments: Segment, check: tuple[Doubt, ...] = ()) -> Recognition:
    return Recognition("en", 1.0, segments, "fake", "cpu", "fake", "1", {}, check=check)


def test_who_interrupts_is_read_where_it_was_said() -> None:
    said = [_segment(0, "so I think that we should go", 10.0), _segment(1, "Yes.", 113.5)]
    found = lanes.merged(said, (FIRST, SECOND), ("Ada", "Bob"), 60.0)
    assert [(one.speaker, one.text) for one in found] == [
        ("Ada", "so I think that"),
        ("Bob", "Yes."),
        ("Ada", "we should go"),
    ]
    assert [one.start for one in found] == [10.0, 13.5, 14.0]
    assert [one.id for one in found] == [0, 1, 2]


def test_times_overlap_where_people_do_and_every_word_stays() -> None:
    said = [_segment(0, "a b c d e f g h", 0.0), _segment(1, "A B C D E F G H", 100.5)]
    found = lanes.merged(said, (FIRST, SECOND), ("Ada", "Bob"), 60.0)
    spoken = [word for one in found for word in one.words]
    assert len(spoken) == 16
    assert all(first.start <= then.start for first, then in pairwise(found))
    for name in ("Ada", "Bob"):
        own = [word.start for one in found if one.speaker == name for word in one.words]
        assert own == sorted(own)


def test_without_words_segments_are_in_order() -> None:
    said = [Segment(0, 1.0, 9.0, "one two", -0.1, 0.0), Segment(1, 102.0, 103.0, "yes", -0.1, 0.0)]
    found = lanes.merged(said, (FIRST, SECOND), (), 60.0)
    assert [(one.start, one.text, one.speaker) for one in found] == [
        (1.0, "one two", None),
        (2.0, "yes", None),
    ]


def test_a_track_has_its_own_times_language_and_doubts() -> None:
    german = [
        Segment(number, at, at + 2, "ja", -0.1, 0.0, language="de")
        for number, at in ((1, 101.0), (2, 110.0))
    ]
    said = _recognition(
        _segment(0, "yes we can", 3.0),
        *german,
        check=(Doubt(110.0, 111.0, "b"), Doubt(3.0, 4.0, "a")),
    )
    first, second = (lanes.recognition_of(said, lane) for lane in (FIRST, SECOND))
    assert (first.language, [one.text for one in first.segments]) == ("en", ["yes we can"])
    assert (second.language, [one.start for one in second.segments]) == ("de", [1.0, 10.0])
    assert {one.language for one in second.segments} == {None}
    assert [(doubt.start, doubt.reason) for doubt in first.check] == [(3.0, "a")]
    assert [(doubt.start, doubt.reason) for doubt in second.check] == [(10.0, "b")]
    words = lanes.words_of({2: _segment(2, "ja", 110.5).words}, second, SECOND)
    assert words[2][0].start == pytest.approx(10.5)


def test_a_track_has_the_speakers_that_speak_in_it() -> None:
    found = Diarization(
        DiarizationStatus.COMPLETE,
        voices=(Voice(name="Ada"), Voice(name="Bob")),
        turns=(Turn(1.0, 2.0, 0), Turn(101.0, 102.0, 1)),
    )
    second = lanes.turns_of(found, SECOND)
    assert second.voices == (Voice(name="Bob"),)
    assert second.turns == (Turn(1.0, 2.0, 0),)
