from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.alignment.viterbi import best_paths
from daemon.alignment.words import Alphabet, place_words, read_script, spell
from daemon.domain.transcript import Word, WordSource
from tests.kit.alignment_samples import segment

ENGLISH = Alphabet({"<pad>": 0, "|": 1, "a": 2, "b": 3, "c": 4, "'": 5, "-": 0}, spaced=True)
CHINESE = Alphabet({"[pad]": 0, "|": 1, "你": 2, "好": 3}, spaced=False)
FRAMES = 50


def words_of(text: str, alphabet: Alphabet = ENGLISH, frames: int = FRAMES) -> tuple[Word, ...]:
    """The words of a one-second segment that sounds like noise."""
    script = read_script(text, alphabet)
    logits = np.random.default_rng(0).normal(size=(frames, 6)).astype(np.float32)
    emission = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    [path] = best_paths([spell(script, emission, alphabet.blank)], alphabet.blank)
    assert path is not None
    return place_words(segment(text), script, path, frames, alphabet.blank)


def test_words_keep_their_case_and_punctuation() -> None:
    assert [word.word for word in words_of(" Abba, cab! ")] == ["Abba,", "cab!"]


def test_words_of_the_alphabet_are_aligned_with_a_score() -> None:
    [word] = words_of("cab")
    assert word.source is WordSource.ALIGNED
    assert 0 < word.score < 1


@pytest.mark.parametrize("odd", ["1984", "€", "🎉", "שלום", "–", "-"])
def test_a_word_outside_the_alphabet_is_interpolated_between_its_neighbours(odd: str) -> None:
    before, word, after = words_of(f"abba {odd} cab")
    assert (word.source, word.score) == (WordSource.INTERPOLATED, 0.0)
    assert before.start < before.end <= word.start < word.end <= after.start < after.end


def test_a_word_with_one_character_of_the_alphabet_is_aligned() -> None:
    assert words_of("2b")[0].source is WordSource.ALIGNED


@pytest.mark.parametrize("space", [" ", "  ", "\n", "\t", "\u00a0", "\u3000", " \r\n "])
def test_any_white_space_parts_words(space: str) -> None:
    assert [word.word for word in words_of(f"a{space}b")] == ["a", "b"]


def test_a_language_without_spaces_has_a_word_for_each_character() -> None:
    assert [word.word for word in words_of("你好 你", CHINESE)] == ["你", "好", "你"]


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0"])
def test_a_text_of_white_space_has_no_words(text: str) -> None:
    script = read_script(text, ENGLISH)
    assert script.words == ()
    assert len(script.tokens) == 0


def test_the_blank_is_the_pad_token_or_the_first() -> None:
    assert Alphabet({"a": 0, "<pad>": 7}, spaced=True).blank == 7
    assert Alphabet({"a": 0, "[pad]": 3}, spaced=True).blank == 3
    assert Alphabet({"-": 0, "a": 1}, spaced=True).blank == 0


@given(st.text(min_size=1, max_size=80))
def test_every_word_of_any_text_has_times_in_order_inside_the_segment(text: str) -> None:
    if not text.split():
        return
    words = words_of(text, frames=200)
    assert [word.word for word in words] == text.split()
    times = [time for word in words for time in (word.start, word.end)]
    assert times == sorted(times)
    assert 0 <= times[0] <= times[-1] <= 1
    assert all((word.score == 0) >= (word.source is WordSource.INTERPOLATED) for word in words)
