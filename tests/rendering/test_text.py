"""Characters, columns, phrases, sentence ends and direction."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.rendering.text import (
    RTL_MARK,
    columns,
    ends_sentence,
    graphemes,
    is_rtl,
    marked_direction,
    phrases,
)

FAMILY = "👩‍👩‍👧"


def test_a_character_is_what_people_see() -> None:
    assert graphemes(f"ข่าวe\u0301{FAMILY}") == ["ข่", "า", "ว", "e\u0301", FAMILY]


@pytest.mark.parametrize(
    ("text", "width"), [("abc", 3), ("日本", 4), (FAMILY, 2), ("e\u0301", 1), ("한국", 4), ("ｱ", 1)]
)
def test_full_width_counts_two(text: str, width: int) -> None:
    assert columns(text) == width


@pytest.mark.parametrize(
    ("text", "language", "pieces"),
    [
        ("今天的天气。", "zh", ["今天", "的", "天气。"]),
        ("今日は天気です。", "ja", ["今日は", "天気です。"]),
        ("วันนี้อากาศดี", "th", ["วัน", "นี้", "อากาศ", "ดี"]),
        ("ភាសាខ្មែរ", "km", ["ភា", "សា", "ខ្មែ", "រ"]),
        ("Donaudampfschiff", "de", ["Donaudampfschiff"]),
        ("مرحبا", "ar", ["مرحبا"]),
    ],
)
def test_unspaced_scripts_are_cut_into_phrases(text: str, language: str, pieces: list[str]) -> None:
    assert phrases(text, language) == pieces


@settings(deadline=None)  # the first example loads a segmenter
@given(
    st.text("ab日本のですภาษาខ្មែ👩‍é", min_size=1, max_size=40),
    st.sampled_from(["en", "zh", "ja", "th", "km"]),
)
def test_cutting_loses_no_character(text: str, language: str) -> None:
    assert "".join(phrases(text, language)) == text
    assert "".join(graphemes(text)) == text


@pytest.mark.parametrize(
    ("word", "following", "language", "ends"),
    [
        ("done.", "Then", "en", True),
        ("done.”", "Then", "en", True),
        ("Dr.", "Smith", "en", False),
        ("J.", "Smith", "en", False),
        ("12.", "The", "en", True),
        ("3.", "Mai", "de", False),
        ("well…", "then", "en", False),
        ("好。", "我", "zh", True),
        ("هل؟", "نعم", "ar", True),
        ("first,", "then", "en", False),
        ("etc.", "", "en", True),
    ],
)
def test_where_sentences_end(word: str, following: str, language: str, ends: bool) -> None:
    assert ends_sentence(word, following, language) is ends


def test_lines_from_right_to_left_are_fenced() -> None:
    assert is_rtl("שלום iPhone, עולם.")
    assert marked_direction("مرحبا.") == f"{RTL_MARK}مرحبا.{RTL_MARK}"
    assert marked_direction("Hello.") == "Hello."
