"""Numbers and symbols as they are said."""

from __future__ import annotations

import pytest

from daemon.alignment.spoken import Reading, spoken
from daemon.alignment.words import Alphabet, read_scripts

NUMBER, YEAR, DIGITS = Reading


@pytest.mark.parametrize(
    ("word", "language", "reading", "said"),
    [
        ("Hello,", "en", NUMBER, "Hello,"),
        ("927", "en", NUMBER, "nine hundred and twenty seven"),
        ("927", "en", DIGITS, "nine two seven"),
        ("7,222.", "en", NUMBER, "seven thousand two hundred and twenty two"),
        ("2026", "en", YEAR, "twenty twenty six"),
        ("2026", "de", NUMBER, "zweitausendsechsundzwanzig"),
        ("3,5", "de", NUMBER, "drei Komma fünf"),
        ("3.5", "en", NUMBER, "three point five"),
        ("27.11.", "de", NUMBER, "siebenundzwanzig elf"),
        ("10:30", "en", NUMBER, "ten thirty"),
        ("21st", "en", NUMBER, "twenty first"),
        ("007", "en", NUMBER, "zero zero seven"),
        ("$5", "en", NUMBER, "five dollars"),
        ("50%", "fr", NUMBER, "cinquante pour cent"),
        ("R&D", "en", NUMBER, "R and D"),
        ("MP3", "es", NUMBER, "MP tres"),
        ("927", "xx", NUMBER, "927"),
    ],
)
def test_what_is_written_in_figures_is_said_in_words(
    word: str, language: str, reading: Reading, said: str
) -> None:
    assert spoken(word, language, reading) == said


def test_a_text_with_a_number_may_have_been_said_in_several_ways() -> None:
    letters = {letter: code for code, letter in enumerate("|abcdefghijklmnopqrstuvwxyz")}
    english = Alphabet(letters, spaced=True, language="en")
    assert len(read_scripts("In 1984", english)) == 3
    assert len(read_scripts("In 7 days", english)) == 1
    assert len(read_scripts("In seven days", english)) == 1
    (script,) = read_scripts("In 7 days", english)
    assert [word for word, _ in script.words] == ["In", "7", "days"]
    assert script.words[1][1] == slice(3, 8), "the five letters of seven"
