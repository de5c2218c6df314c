"""Transcripts to read, and tables."""

from __future__ import annotations

import csv
import io
import json

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.domain.transcript import Segment
from daemon.rendering.formats import FORMATS, render
from daemon.rendering.material import Material
from tests.kit.sample_transcripts import said, sample, transcript


def _file(material: Material, name: str) -> str:
    return render(material, [name])[FORMATS[name].suffix].decode()


def _of(*segments: Segment, **fields: object) -> Material:
    return Material(transcript(*segments), **fields)  # type: ignore[arg-type]


def test_a_pause_between_sentences_begins_a_paragraph() -> None:
    first = said("We met. It rained.", 0.0, 2.0)
    later = said("Later it stopped.", 4.0, 5.0)
    assert _file(_of(first, later), "txt") == "We met. It rained.\n\nLater it stopped.\n"


def test_a_pause_within_a_sentence_does_not() -> None:
    first, rest = said("We met and", 0.0, 1.0), said("it rained.", 3.5, 4.5)
    assert _file(_of(first, rest), "txt") == "We met and it rained.\n"


def test_a_speaker_is_named_where_it_changes() -> None:
    row = [
        said("Hello.", 0, 1, speaker="Anna"),
        said("How are you?", 1.2, 2, speaker="Anna"),
        said("Fine.", 2.1, 3, speaker="Ben"),
    ]
    assert _file(_of(*row), "txt") == "Anna: Hello. How are you?\n\nBen: Fine.\n"
    assert "**Anna:** Hello. How are you?\n\n**Ben:** Fine." in _file(_of(*row), "md")


def test_times_where_they_are_wanted() -> None:
    row = said("Hello.", 3671.0, 3672.0)
    assert _file(_of(row, timestamps=True), "txt") == "[1:01:11] Hello.\n"
    assert _file(_of(row), "txt") == "Hello.\n"


def test_the_lecture_has_paragraphs_that_end_with_sentences() -> None:
    material = Material(sample("lecture-12min"))
    blocks = _file(material, "txt").strip().split("\n\n")
    assert 10 < len(blocks) < 60
    assert all(block[-1] in ".?!" for block in blocks)
    assert max(map(len, blocks)) < 1200
    assert " ".join(blocks) == material.transcript.text


def test_markdown_begins_with_front_matter() -> None:
    text = _file(Material(sample("memo-10s")), "md")
    _, front, body = text.split("---\n", 2)
    facts = dict(line.split(": ", 1) for line in front.splitlines())
    assert json.loads(facts["title"]) == "memo-10s"
    assert json.loads(facts["date"]) == "2026-03-04"
    assert json.loads(facts["tags"]) == ["transcript"]
    assert body.startswith("\n# memo-10s\n\nHello Anna, this is Ben from London.")


def test_markdown_escapes_what_was_said() -> None:
    text = "# not a title *nor* [[a link]] <b> #tag ==mark== `code` $x$"
    body = _file(_of(said(text, 0, 3)), "md").split("---\n", 2)[2]
    for mark in "#*[<=`$":
        assert body.replace("\n# memo\n", "").count(mark) == body.count(f"\\{mark}")
    assert _file(_of(said("1. first", 0, 1)), "md").rstrip().endswith("1\\. first")
    assert _file(_of(said("- first", 0, 1)), "md").rstrip().endswith("\\- first")


def test_tsv_is_whispers() -> None:
    row = said("a\tb\nc", 0.0, 2.5)
    assert _file(_of(row), "tsv") == "start\tend\ttext\n0\t2500\ta b c\n"


def test_csv_has_a_row_a_sentence_and_no_formula() -> None:
    row = [said('He said, "no".', 0, 1, speaker="=1+1"), said("@SUM(A1)", 2, 3, speaker="Ben")]
    text = _file(_of(*row), "csv")
    assert text.startswith("\ufeff")
    assert list(csv.reader(io.StringIO(text.removeprefix("\ufeff")))) == [
        ["start", "end", "speaker", "text"],
        ["0.000", "1.000", "'=1+1", 'He said, "no".'],
        ["2.000", "3.000", "Ben", "'@SUM(A1)"],
    ]


def test_audacity_gets_a_label_a_sentence() -> None:
    text = _file(_of(said("We met. It rained.", 0.0, 2.0)), "labels")
    assert text == "0.000000\t1.000000\tWe met.\n1.000000\t2.000000\tIt rained.\n"


def test_verbose_json_has_openais_keys() -> None:
    answer = json.loads(_file(Material(sample("german-20s")), "verbose_json"))
    assert (answer["task"], answer["language"]) == ("transcribe", "german")
    keys = "id seek start end text tokens temperature avg_logprob compression_ratio no_speech_prob"
    assert set(answer["segments"][0]) == set(keys.split())
    assert set(answer["words"][0]) == {"word", "start", "end"}
    assert answer["text"] == Material(sample("german-20s")).transcript.text


def test_silence_gives_valid_empty_files() -> None:
    material = _of()
    assert _file(material, "txt") == ""
    assert _file(material, "srt") == ""
    assert _file(material, "vtt") == "WEBVTT\n\n"
    assert _file(material, "tsv") == "start\tend\ttext\n"
    assert _file(material, "labels") == ""
    assert all(render(material, [name]) for name in FORMATS)


@settings(deadline=None, max_examples=25)
@given(st.lists(st.text(st.characters(exclude_categories=[]), max_size=20), max_size=4))
def test_any_text_can_be_rendered_in_every_format(texts: list[str]) -> None:
    segments = [said(text, 2.0 * at, 2.0 * at + 1) for at, text in enumerate(texts)]
    for suffix, data in render(_of(*segments), FORMATS).items():
        assert isinstance(data, bytes), suffix
