"""What is misheard is put right, and every word keeps its time."""

from __future__ import annotations

import pytest

from daemon.domain.transcript import Segment, Word, WordSource
from daemon.outbox.replacements import corrected


def _segment(text: str) -> Segment:
    words = tuple(
        Word(word, float(at), at + 0.8, 0.9 - at / 100, WordSource.ALIGNED)
        for at, word in enumerate(text.split())
    )
    return Segment(0, 0.0, 10.0, text, -0.1, 0.01, words)


def _corrected(text: str, wanted: dict[str, str]) -> tuple[str, list[tuple[str, float, float]]]:
    (segment,) = corrected([_segment(text)], wanted)
    return segment.text, [(word.word, word.start, word.end) for word in segment.words]


def test_as_many_words_keep_their_times_and_their_punctuation() -> None:
    text, words = _corrected('He said "Doctor Beckie." Then', {"doctor beckie": "Dr. Mbeki"})
    assert text == 'He said "Dr. Mbeki." Then'
    assert words[2:4] == [('"Dr.', 2.0, 2.8), ('Mbeki."', 3.0, 3.8)]
    assert len(words) == 5


def test_several_words_become_one_that_lasts_as_long() -> None:
    text, words = _corrected("use cube control, now", {"cube control": "kubectl"})
    assert text == "use kubectl, now"
    assert words == [("use", 0.0, 0.8), ("kubectl,", 1.0, 2.8), ("now", 3.0, 3.8)]


def test_one_word_becomes_several_that_share_its_time() -> None:
    text, words = _corrected("an openai model", {"OpenAI": "Open AI"})
    assert text == "an Open AI model"
    assert words[1:3] == [("Open", 1.0, 1.533), ("AI", 1.533, 1.8)]


@pytest.mark.parametrize(
    ("text", "wanted", "after"),
    [
        ("Catalan cat", {"cat": "dog"}, "Catalan dog"),  # whole words only
        ("new york city", {"new york": "NY", "new york city": "NYC"}, "NYC"),  # the longest
        ("a b a b", {"a b": "c"}, "c c"),
        ("nothing here", {"x": "y"}, "nothing here"),
        ("c++ code", {"c++": "C++"}, "C++ code"),
    ],
)
def test_phrases_are_found_as_people_mean_them(
    text: str, wanted: dict[str, str], after: str
) -> None:
    said, words = _corrected(text, wanted)
    assert said == after
    assert " ".join(word for word, _, _ in words) == after


def test_without_words_the_text_alone_is_corrected() -> None:
    segment = Segment(0, 0.0, 1.0, "cube control", -0.1, 0.01, ())
    (after,) = corrected([segment], {"cube control": "kubectl"})
    assert (after.text, after.words) == ("kubectl", ())
