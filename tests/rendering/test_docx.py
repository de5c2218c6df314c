"""Word documents, read with python-docx."""

from __future__ import annotations

import io

from docx import Document

from daemon.rendering.clocks import clock
from daemon.rendering.formats import render
from daemon.rendering.material import Material
from tests.kit.sample_transcripts import said, sample, transcript


def _texts(data: bytes) -> list[str]:
    return [paragraph.text for paragraph in Document(io.BytesIO(data)).paragraphs]


def test_a_document_has_a_title_facts_and_paragraphs() -> None:
    material = Material(sample("memo-10s"))
    texts, length = _texts(render(material, ["docx"])["docx"]), clock(material.transcript.duration)
    assert texts[:2] == [
        "memo-10s",
        f"memo.wav · 2026-03-04 · {length}",
    ]
    assert " ".join(texts[2:]) == material.transcript.text


def test_speakers_and_times_stand_before_what_they_say() -> None:
    row = [said("Hello.", 0, 1, speaker="Anna"), said("Hi.", 61, 62, speaker="Ben")]
    material = Material(transcript(*row), timestamps=True)
    assert _texts(render(material, ["docx"])["docx"])[2:] == [
        "0:00  Anna: Hello.",
        "1:01  Ben: Hi.",
    ]
