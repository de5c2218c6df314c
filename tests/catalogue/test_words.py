"""What is typed becomes a query that cannot be wrong."""

from __future__ import annotations

import sqlite3
import unicodedata
from contextlib import closing

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.catalogue.words import full_text_query, readable, searchable


@given(st.text(max_size=60))
def test_seams_can_be_taken_out_again(text: str) -> None:
    plain = text.replace("\u200b", "")
    assert readable(searchable(plain)) == unicodedata.normalize("NFKC", plain)


@settings(deadline=None, max_examples=300)
@given(st.text(st.sampled_from("ab\"*()^:-+ANDORNEAR\0天ก'\\ "), max_size=30))
def test_no_query_is_a_syntax_error(words: str) -> None:
    query = full_text_query(words)
    with closing(sqlite3.connect(":memory:")) as database:
        database.execute("CREATE VIRTUAL TABLE t USING fts5 (text)")
        if query:
            database.execute("SELECT * FROM t WHERE t MATCH ?", (query,)).fetchall()


@pytest.mark.parametrize(
    ("words", "query"),
    [
        ("a b", '"a" AND "b"'),
        ('"a b" c', '"a b" AND "c"'),
        ("regist*", '"regist"*'),
        ("!? -", ""),
        ("a OR b", '"a" AND "OR" AND "b"'),
    ],
)
def test_words_phrases_and_beginnings(words: str, query: str) -> None:
    assert full_text_query(words) == query
