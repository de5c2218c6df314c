"""Which word times a segment gets."""

from __future__ import annotations

from daemon.domain.ladder import Aligned, climb
from daemon.domain.transcript import (
    AlignmentStatus,
    Segment,
    Word,
    WordSource,
    coverage,
    spoken_units,
)


def _words(score: float, source: WordSource) -> tuple[Word, ...]:
    return (Word("Hi", 0.0, 0.5, score, source), Word("Ben.", 0.5, 1.0, score, source))


HEARD = Aligned(_words(0.8, WordSource.ALIGNED))
MISHEARD = Aligned(_words(0.3, WordSource.ALIGNED))
OWN = _words(0.9, WordSource.ASR)


def _segment(number: int, words: tuple[Word, ...] = (), language: str | None = None) -> Segment:
    return Segment(number, 0.0, 1.0, "Hi Ben.", -0.1, 0.0, words, language=language)


def _sources(words: tuple[Word, ...]) -> set[WordSource]:
    return {word.source for word in words}


def test_what_the_aligner_heard_is_taken() -> None:
    result = climb([_segment(0, OWN)], {0: HEARD}, "m")
    assert (result.status, result.reason, result.model) == (AlignmentStatus.COMPLETE, "", "m")
    assert result.words == {0: HEARD.words}


def test_low_scores_lead_to_whispers_own_times_and_without_them_to_guesses() -> None:
    result = climb([_segment(0, OWN), _segment(1)], {0: MISHEARD, 1: MISHEARD}, "m")
    assert result.status is AlignmentStatus.PARTIAL
    assert _sources(result.words[0]) == {WordSource.ASR}
    assert _sources(result.words[1]) == {WordSource.INTERPOLATED}
    assert "2 of 2 segments" in result.reason
    guesses = result.words[1]
    assert [(word.word, word.start, word.end, word.score) for word in guesses] == [
        ("Hi", 0.0, 0.333, 0.0),
        ("Ben.", 0.333, 1.0, 0.0),
    ]


def test_the_rest_of_the_recording_speaks_for_a_short_segment_but_not_for_a_long_one() -> None:
    many = Aligned(MISHEARD.words * 3)
    segments = [_segment(number, OWN) for number in range(30)]
    result = climb(segments, {0: MISHEARD, 1: many} | dict.fromkeys(range(2, 30), HEARD), "m")
    assert result.words[0] == MISHEARD.words
    assert result.words[1] == OWN
    assert "1 of 30 segments" in result.reason


def test_another_language_is_not_for_the_files_aligner() -> None:
    result = climb([_segment(0), _segment(1, OWN, "fr")], {0: HEARD}, "m")
    assert result.status is AlignmentStatus.PARTIAL
    assert _sources(result.words[1]) == {WordSource.ASR}
    assert "another language" in result.reason


def test_a_segment_that_crashed_the_aligner_has_no_words() -> None:
    result = climb([_segment(0), _segment(1)], {0: HEARD, 1: Aligned((), "it crashes")}, "m")
    assert result.status is AlignmentStatus.PARTIAL
    assert result.words.keys() == {0}
    assert result.reason == "1 of 2 segments have no word times: 1 (it crashes)"


def test_without_an_aligner_the_words_have_whispers_own_times_or_none() -> None:
    own = climb([_segment(0, OWN)], {}, "m", "there is none")
    assert own.status is AlignmentStatus.PARTIAL
    assert own.reason == "there is none: the words have Whisper's own times"
    none = climb([_segment(0)], {}, "m", "there is none")
    assert (none.status, none.words) == (AlignmentStatus.FAILED, {})


def test_a_script_without_spaces_has_a_word_for_each_character() -> None:
    assert spoken_units("砸自己的脚。") == ["砸", "自", "己", "的", "脚。"]
    assert spoken_units("Hello Anna, R&D!") == ["Hello", "Anna,", "R&D!"]
    assert spoken_units("AIの時代") == ["AI", "の", "時", "代"]
    assert spoken_units("만나서 반갑습니다") == ["만나서", "반갑습니다"]


def test_coverage_counts_characters_where_there_are_no_spaces() -> None:
    heard = (Word("砸", 0.0, 0.5, 0.9, WordSource.ALIGNED),)
    whole = Segment(0, 0.0, 1.0, "砸自己的脚", -0.1, 0.0)
    part = Segment(1, 0.0, 1.0, "砸", -0.1, 0.0, heard)
    assert coverage([whole, part]) == round(1 / 6, 4)
