"""SRT, VTT, ASS and LRC, as other programs read them."""

from __future__ import annotations

import html
import shutil
import subprocess
from pathlib import Path

import pysubs2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.rendering.formats import FORMATS, render
from daemon.rendering.material import Material
from daemon.rendering.text import RTL_MARK
from tests.kit.sample_transcripts import NAMES, said, sample, transcript

HOSTILE = "See <b>bold</b> & {\\an8} c --> d \\N [00:01.00] <v Eve> 1."
FILES = ("srt", "vtt", "ass")


def _file(material: Material, name: str) -> str:
    return render(material, [name])[FORMATS[name].suffix].decode()


def _of(*texts: str) -> Material:
    segments = [said(text, 10.0 * at, 10.0 * at + 3.0) for at, text in enumerate(texts)]
    return Material(transcript(*segments))


def test_srt_has_numbers_hours_and_commas() -> None:
    material = Material(transcript(said("Hello Anna.", 0, 2.5), said("Bye.", 3600, 3602.5)))
    assert _file(material, "srt") == (
        "1\n00:00:00,000 --> 00:00:02,500\nHello Anna.\n\n"
        "2\n01:00:00,000 --> 01:00:02,500\nBye.\n\n"
    )


def test_vtt_names_the_speakers() -> None:
    said_by = [said("Hello there.", 0, 2, speaker="Anna <3"), said("Hi.", 5, 7, speaker="Ben")]
    text = _file(Material(transcript(*said_by)), "vtt")
    assert "<v Anna &lt;3>Hello there.</v>" in text.replace("&gt;", ">")
    assert "<v Ben>Hi.</v>" in text


@pytest.mark.parametrize("name", ["srt", "ass"])
def test_nothing_said_is_taken_for_markup(name: str) -> None:
    """What a player shows is what was said, but for marks without width and wider braces."""
    subtitles = pysubs2.SSAFile.from_string(_file(_of(HOSTILE), name), FORMATS[name].suffix)
    shown = " ".join(" ".join(event.plaintext for event in subtitles).split())
    plain = shown.replace("\u2060", "").translate(str.maketrans("｛｝", "{}"))
    assert plain.replace("-->", "->") == HOSTILE.replace("-->", "->")


def test_webvtt_escapes_what_it_gives_a_meaning() -> None:
    body = _file(_of(HOSTILE), "vtt").split("\n", 3)[3]
    assert not {"<", ">"} & set(body)
    assert " ".join(html.unescape(body).split()) == HOSTILE


@settings(deadline=None, max_examples=40)
@given(st.lists(st.text("ab.,<>{}\\-[]&:1日ข่שم👩\n\t ", max_size=30), max_size=6))
def test_every_file_can_be_parsed(texts: list[str]) -> None:
    material = _of(*texts)
    for name in FILES:
        parsed = pysubs2.SSAFile.from_string(_file(material, name), FORMATS[name].suffix)
        assert len(parsed) == len(material.cues)
        for event, cue in zip(parsed, material.cues, strict=True):
            assert abs(event.start - cue.start * 1000) <= 10
            assert abs(event.end - cue.end * 1000) <= 10


@pytest.mark.parametrize("name", NAMES)
def test_pysubs2_reads_every_cue_of_a_sample(name: str) -> None:
    material = Material(sample(name))
    for file in FILES:
        parsed = pysubs2.SSAFile.from_string(_file(material, file), FORMATS[file].suffix)
        shown = ["".join(event.plaintext.split()) for event in parsed]
        assert shown == ["".join("".join(cue.lines).split()) for cue in material.cues]


def test_ass_lights_every_word_for_as_long_as_it_is_spoken() -> None:
    material = Material(sample("memo-10s"))
    parsed = pysubs2.SSAFile.from_string(_file(material, "ass"), "ass")
    for event, cue in zip(parsed, material.cues, strict=True):
        units = [unit for row in cue.rows for unit in row]
        assert event.text.count("{\\k") == len(units)
        lit = sum(int(part.split("}")[0]) for part in event.text.split("{\\k")[1:])
        assert abs(lit / 100 - (units[-1].end - cue.start)) <= 0.02


def test_lrc_has_a_line_for_each_cue() -> None:
    lines = _file(_of("Hello Anna.", "[x] Bye."), "lrc").splitlines()
    assert lines == [
        "[ti:memo]",
        "[length:00:13]",
        "[00:00.00]Hello Anna.",
        "[00:10.00]\u2060[x] Bye.",
    ]


def test_lines_from_right_to_left_carry_marks_in_srt() -> None:
    material = Material(transcript(said("مرحبا بالعالم.", 0, 3), language="ar"))
    assert f"\n{RTL_MARK}مرحبا بالعالم.{RTL_MARK}\n" in _file(material, "srt")


@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="no ffmpeg on this machine")
@pytest.mark.parametrize("name", [*FILES, "lrc"])
def test_ffmpeg_reads_every_cue(name: str, tmp_path: Path) -> None:
    material = Material(sample("meeting-60s"))
    path = tmp_path / f"meeting.{name}"
    path.write_text(_file(material, name), encoding="utf-8")
    command = ["ffmpeg", "-v", "error", "-i", str(path), "-f", "srt", "-"]
    ran = subprocess.run(command, capture_output=True, check=True)
    assert ran.stderr == b""
    assert len(pysubs2.SSAFile.from_string(ran.stdout.decode(), "srt")) == len(material.cues)
