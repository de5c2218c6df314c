"""Cues of at most two lines of 42 characters, timed by their words."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.transcript import Segment, Word, WordSource
from daemon.outbox.subtitles import LINE_CHARACTERS, LINES, MAX_SECONDS, cues

_TEXT = (
    "We need to review the final report before Friday, and somebody has to send the letter and the"
    " invoice by Monday, or else nobody will be paid."
)


def _segment(text: str, start: float, end: float, *, words: bool = False) -> Segment:
    texts = text.split()
    step = (end - start) / max(1, len(texts))
    timed = tuple(
        Word(one, start + at * step, start + (at + 1) * step, 1.0, WordSource.ALIGNED)
        for at, one in enumerate(texts)
    )
    return Segment(0, start, end, text, -0.1, 0.0, timed if words else ())


_texts = st.lists(
    st.text(st.characters(categories=["L", "N", "P"]), min_size=1, max_size=60), max_size=40
)


@given(_texts, st.floats(0, 100), st.floats(0, 60), st.booleans())
def test_every_cue_can_be_read(texts: list[str], start: float, length: float, words: bool) -> None:
    found = cues([_segment(" ".join(texts), start, start + length, words=words)])
    for cue in found:
        assert 1 <= len(cue.lines) <= LINES
        assert all(0 < len(line) <= LINE_CHARACTERS for line in cue.lines)
        assert cue.start <= cue.end
    for first, second in pairwise(found):
        assert first.end <= second.start or first.start == second.start


@given(_texts, st.booleans())
def test_no_word_is_lost(texts: list[str], words: bool) -> None:
    found = cues([_segment(" ".join(texts), 0.0, 30.0, words=words)])
    shown = "".join("".join(cue.lines) for cue in found)
    assert shown.replace(" ", "") == "".join(texts)


def test_lines_of_a_cue_are_of_like_length() -> None:
    (cue,) = cues([_segment("We need to review the final report before Friday", 0, 3)])
    first, second = cue.lines
    assert abs(len(first) - len(second)) <= 8


def test_a_cue_starts_with_its_first_word() -> None:
    segment = _segment(_TEXT, 10.0, 20.0, words=True)
    starts = {word.start for word in segment.words}
    found = cues([segment])
    assert len(found) > 1
    assert all(min(abs(cue.start - start) for start in starts) < 0.001 for cue in found)


def test_a_pause_starts_a_new_cue() -> None:
    words = tuple(
        Word(text, at, at + 0.3, 1.0, WordSource.ALIGNED)
        for text, at in (("before", 0.0), ("after", 2.0))
    )
    found = cues([Segment(0, 0.0, 2.3, "before after", -0.1, 0.0, words)])
    assert [cue.lines for cue in found] == [("before",), ("after",)]
    assert found[0].end < found[1].start


def test_no_cue_stays_longer_than_seven_seconds() -> None:
    found = cues([_segment("one two three four five six", 0.0, 30.0, words=True)])
    assert all(cue.end - cue.start <= MAX_SECONDS for cue in found)


def test_a_short_cue_is_held_but_never_into_the_next() -> None:
    first, second = _segment("Yes.", 1.0, 1.1), _segment("No.", 1.5, 1.6)
    found = cues([first, second])
    assert [(cue.start, cue.end) for cue in found] == [(1.0, 1.5), (1.5, 2.3)]


def test_a_recording_without_speech_has_no_cues() -> None:
    assert cues([]) == []
    assert cues([_segment("", 0.0, 1.0)]) == []
