"""A Word document: title, facts, and paragraphs with speakers and times."""

from __future__ import annotations

import datetime
import io

from daemon.rendering.clocks import clock
from daemon.rendering.material import Material


def docx(material: Material) -> bytes:
    """Office Open XML, as Word, Pages and LibreOffice read it."""
    from docx import Document  # noqa: PLC0415 - for this format only
    from docx.shared import Pt, RGBColor  # noqa: PLC0415

    transcript = material.transcript
    document = Document()
    properties = document.core_properties
    properties.title, properties.author, properties.comments = transcript.name, "dropscribe", ""
    properties.language = transcript.language
    properties.created = datetime.datetime.now(datetime.UTC)
    document.add_heading(transcript.name, 0)
    facts = (transcript.source, transcript.recorded_at[:10], clock(transcript.duration))
    document.add_paragraph(" · ".join(fact for fact in facts if fact), style="Subtitle")
    before = ""
    for paragraph in material.paragraphs:
        block = document.add_paragraph()
        if material.timestamps:
            time = block.add_run(f"{clock(paragraph.start)}  ")
            time.font.size, time.font.color.rgb = Pt(9), RGBColor(0x70, 0x70, 0x70)
        if paragraph.speaker and paragraph.speaker != before:
            block.add_run(f"{paragraph.speaker}: ").bold = True
        block.add_run(paragraph.text)
        before = paragraph.speaker
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()
