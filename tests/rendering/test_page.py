"""The page as a file: self-contained, guarded, escaped."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from typing import Any

import pytest

from daemon.domain.transcript import Segment, Word, WordSource
from daemon.rendering.formats import render
from daemon.rendering.material import Material
from tests.kit.sample_transcripts import document, said, sample, transcript

HOSTILE = "</script><script>x=1</script><img src=x onerror=alert(1)> ]]> {{ 7*7 }} &amp; \"'"


def _page(material: Material) -> str:
    return render(material, ["html"])["html"].decode()


def _data(page: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.S)
    data: dict[str, Any] = json.loads(found)
    return data


def _footer(page: str) -> str:
    return page.partition("<footer")[2].partition("</footer>")[0]


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def test_the_policy_allows_this_style_and_this_script_and_nothing_else() -> None:
    page = _page(Material(sample("memo-10s")))
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', page)
    (style,) = re.findall(r"<style>(.*?)</style>", page, re.S)
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.S)
    assert "default-src &#39;none&#39;" in policy
    assert "unsafe" not in policy
    assert _hash(style) in policy
    assert _hash(script) in policy


def test_the_page_refers_to_nothing_outside() -> None:
    page = _page(Material(sample("memo-10s"), recordings=("../done/memo-10s.wav",)))
    addresses = re.findall(r'(?:src|href|action|data)\s*=\s*"([^"]*)"', page)
    assert all(one.startswith(("data:", "index.html")) for one in addresses)
    assert "@import" not in page
    assert "url(" not in page


def test_names_and_words_are_escaped_wherever_they_stand() -> None:
    whole = document(
        [said(HOSTILE, 0, 3, speaker=HOSTILE)],
        check=[{"start": 0, "end": 1, "reason": HOSTILE}],
        provenance={"source": HOSTILE, "warnings": [HOSTILE], "model": HOSTILE},
    )
    material = Material(transcript().from_document(whole, HOSTILE), recordings=(HOSTILE,))
    page = _page(material)
    assert page.count("<script") == 2
    assert "<img" not in page
    assert "49" not in page.split('id="data"')[0].split("<body")[1]
    assert _data(page)["name"] == HOSTILE


def test_a_recordings_path_becomes_a_harmless_address() -> None:
    paths = ("../done/100% #1?.wav", "javascript:alert(1).wav", "../done/\udcff.wav")
    material = Material(sample("memo-10s"), recordings=paths)
    assert _data(_page(material))["recordings"] == [
        "../done/100%25%20%231%3F.wav",
        "javascript%3Aalert%281%29.wav",
        "../done/%FF.wav",
    ]


def test_every_word_has_its_times() -> None:
    material = Material(sample("meeting-60s"))
    page = _page(material)
    words = [word for segment in material.transcript.segments for word in segment.words]
    body = page.split("<main")[1].split("</main>")[0]
    assert body.count("<span") == len(words)
    times = _data(page)["times"]
    assert times[::2] == [round(word.start * 1000) for word in words]
    assert times[1::2] == [round(word.end * 1000) for word in words]


def test_unsure_and_unheard_words_are_marked() -> None:
    words = (
        Word("sure", 0, 1, 0.9, WordSource.ALIGNED),
        Word("unsure", 1, 2, 0.2, WordSource.ALIGNED),
        Word("1982", 2, 3, 0.0, WordSource.INTERPOLATED),
    )
    page = _page(Material(transcript(Segment(0, 0, 3, "sure unsure 1982", 0, 0, words))))
    assert '<span>sure</span> <span class="unsure">unsure</span> ' in page
    assert '<span class="placed">1982</span>' in page


def test_speakers_have_colours_and_are_named_where_they_change() -> None:
    row = [said("Hi.", 3.0 * at, 3.0 * at + 1, speaker=name) for at, name in enumerate("ABBA")]
    page = _page(Material(transcript(*row)))
    assert re.findall(r'class="who"[^>]*>(\w)<', page) == ["A", "B", "A"]
    assert re.findall(r'class="p spoken (c\d)"', page) == ["c0", "c1", "c1", "c0"]


def test_the_stages_are_a_strip_of_their_seconds() -> None:
    stages = {"prepare": {"seconds": 1.0}, "transcribe": {"seconds": 3.0}, "align": {"seconds": 0}}
    page = _page(Material(sample("memo-10s"), stages=stages))
    bars = re.findall(r'<rect class="(\w+)" x="([\d.]+)" width="([\d.]+)" h', _footer(page))
    assert bars == [("prepare", "0.0", "250.0"), ("transcribe", "250.0", "750.0")]


def test_a_page_of_the_lecture_is_light() -> None:
    assert len(_page(Material(sample("lecture-12min")))) < 1_000_000


@pytest.mark.parametrize("stages", [{"prepare": None}, {"prepare": {"seconds": "x"}}, {}])
def test_odd_stages_are_left_out(stages: dict[str, Any]) -> None:
    assert 'class="extra"' not in _page(Material(sample("memo-10s"), stages=stages))


def test_silence_is_said() -> None:
    assert "Nothing was said in this recording." in _page(Material(transcript()))


def test_every_language_that_is_spoken_is_named() -> None:
    page = _page(Material(sample("memo-10s", languages=["en", "de"])))
    assert '<li dir="auto">English, German</li>' in page
