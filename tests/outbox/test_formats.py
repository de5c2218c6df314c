"""The text files of the outbox, to the letter."""

from __future__ import annotations

from daemon.domain.transcript import Segment
from daemon.outbox.formats import RENDERERS, srt, tsv, txt, vtt


def _segments(*texts: str) -> list[Segment]:
    return [
        Segment(at, 3600.0 * at, 3600.0 * at + 2.5, text, -0.1, 0.0)
        for at, text in enumerate(texts)
    ]


HELLO = _segments("Hello Anna.", "See <b> & c --> d")


def test_txt_is_one_segment_a_line() -> None:
    assert txt(HELLO) == "Hello Anna.\nSee <b> & c --> d\n"


def test_srt_has_numbers_hours_and_commas() -> None:
    assert srt(HELLO) == (
        "1\n00:00:00,000 --> 00:00:02,500\nHello Anna.\n\n"
        "2\n01:00:00,000 --> 01:00:02,500\nSee <b> & c -> d\n\n"
    )


def test_vtt_escapes_what_it_would_take_for_markup() -> None:
    assert vtt(HELLO) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:02.500\nHello Anna.\n\n"
        "01:00:00.000 --> 01:00:02.500\nSee &lt;b&gt; &amp; c -&gt; d\n\n"
    )


def test_tsv_has_milliseconds_and_no_stray_tabs() -> None:
    assert tsv(_segments("a\tb\nc")) == "start\tend\ttext\n0\t2500\ta b c\n"


def test_silence_gives_valid_empty_files() -> None:
    rendered = {suffix: render([]) for suffix, render in RENDERERS.items()}
    assert rendered == {"txt": "", "srt": "", "vtt": "WEBVTT\n\n", "tsv": "start\tend\ttext\n"}
