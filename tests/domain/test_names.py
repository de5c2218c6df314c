"""File names made from other file names: recognisable, safe, and never too long."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.names import fitting, free_number, numbered, plain, stem_of, with_number

_NAMES = st.binary(min_size=1, max_size=255).filter(lambda raw: not {0, 47} & set(raw))


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("meeting.m4a", "meeting"),
        ("v1.2.final.wav", "v1.2.final"),
        ("trailing..m4a", "trailing."),
        ("fête 🎉.wav", "fête 🎉"),
        ("two\nlines.wav", "two_nlines"),
        (".wav", "wav"),
        ("...wav", "recording"),
        ("back\\slash.wav", "back_slash"),
        ("x.timing.wav", "x.timing_"),  # else its transcript would be x.timing.json
        ("x.Verbose.wav", "x.Verbose_"),
        ("x.timings.wav", "x.timings"),
    ],
)
def test_a_recordings_name_stays_recognisable(name: str, stem: str) -> None:
    assert stem_of(Path("/in") / name) == stem


@given(_NAMES)
def test_every_name_gives_a_stem_that_is_a_safe_file_name(raw: bytes) -> None:
    stem = stem_of(Path("/in") / os.fsdecode(raw))
    assert stem
    assert "/" not in stem
    assert not stem.startswith(".")
    assert len(f"{stem} (999999).timing.json".encode()) <= 255


def test_a_cut_name_ends_at_a_character() -> None:
    assert fitting("é" * 200, "").encode().decode() == "é" * 115


@pytest.mark.parametrize(
    ("stem", "expected"),
    [
        ("call 10:30", "call 10-30"),
        ("n" * 200, "n" * 60),
        ("fête", "fete"),
        ("漢字", "recording"),
        ("...", "recording"),
    ],
)
def test_a_plain_name_is_short_ascii_that_every_volume_holds(stem: str, expected: str) -> None:
    assert plain(stem) == expected
    assert plain(expected) == expected


@given(st.sets(st.integers(1, 60)))
def test_a_free_number_is_free_and_the_one_before_is_not(taken: set[int]) -> None:
    number = free_number(taken.__contains__)
    assert number not in taken
    assert number == 1 or number - 1 in taken


def test_among_ten_thousand_equal_names_few_are_looked_at() -> None:
    looked_at: list[int] = []

    def is_taken(number: int) -> bool:
        looked_at.append(number)
        return number <= 10_000

    assert free_number(is_taken) == 10_001
    assert len(looked_at) < 40


@given(_NAMES, st.integers(2, 10**6))
def test_a_numbered_name_fits(raw: bytes, number: int) -> None:
    assert len(os.fsencode(with_number(os.fsdecode(raw), number, ".wav"))) <= 255


def test_names_come_in_order_from_the_first_free_one() -> None:
    names = numbered("memo", ".wav", {"memo.wav", "memo (2).wav"}.__contains__)
    assert [next(names), next(names)] == ["memo (3).wav", "memo (4).wav"]
