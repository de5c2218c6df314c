"""Plain text, Markdown and tables."""

from __future__ import annotations

import csv
import io
import json
import re

from daemon.rendering.clocks import clock
from daemon.rendering.material import Material
from daemon.rendering.paragraphs import Paragraph

# Every character that Markdown or Obsidian may give a meaning, wherever it stands.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|~=%$^&])")
_LIST = re.compile(r"^(\s*)([-+]|\d+[.)])(\s|$)")
_FORMULA = ("=", "+", "-", "@")


def txt(material: Material) -> str:
    """A paragraph a line, an empty line between two; speakers' names where they change."""
    blocks = [
        _stamped(material, paragraph) + (f"{name}: " if name else "") + paragraph.text
        for paragraph, name in _named(material)
    ]
    return "\n\n".join(blocks) + "\n" * bool(blocks)


def md(material: Material) -> str:
    """Markdown, with the facts as YAML front matter, as Obsidian keeps them as properties."""
    transcript = material.transcript
    facts = {
        "title": transcript.name,
        "source": transcript.source,
        "date": transcript.recorded_at[:10],
        "language": transcript.language,
        "duration": clock(transcript.duration),
        "speakers": list(transcript.speakers),
        "model": transcript.model,
        "tags": ["transcript"],
    }
    # JSON strings and lists are YAML's, too.
    front = [
        f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in facts.items() if value
    ]
    blocks = [f"# {_escaped(transcript.name)}"]
    for paragraph, name in _named(material):
        speaker = f"**{_escaped(name)}:** " if name else ""
        text = _escaped(paragraph.text)
        blocks.append(_stamped(material, paragraph).replace("[", "\\[") + speaker + text)
    return "\n".join(["---", *front, "---", "", "\n\n".join(blocks), ""])


def _named(material: Material) -> list[tuple[Paragraph, str]]:
    """Each paragraph, and its speaker's name if it is not the one before's."""
    before = ""
    found = []
    for paragraph in material.paragraphs:
        found.append((paragraph, paragraph.speaker if paragraph.speaker != before else ""))
        before = paragraph.speaker
    return found


def _stamped(material: Material, paragraph: Paragraph) -> str:
    return f"[{clock(paragraph.start)}] " if material.timestamps else ""


def _escaped(text: str) -> str:
    return _LIST.sub(_list_escaped, _MARKUP.sub(r"\\\1", " ".join(text.split())))


def _list_escaped(found: re.Match[str]) -> str:
    mark = found[2]
    return f"{found[1]}{mark[:-1]}\\{mark[-1]}{found[3]}"


def tsv(material: Material) -> str:
    """Whisper's table: start and end in integer milliseconds, then the text; a row a segment."""
    rows = [
        f"{round(segment.start * 1000)}\t{round(segment.end * 1000)}\t{segment.text}\n"
        for segment in material.transcript.segments
    ]
    return "start\tend\ttext\n" + "".join(rows)


def csv_table(material: Material) -> str:
    """RFC 4180, a row a sentence; begins with a byte order mark, or Excel misreads UTF-8."""
    table = io.StringIO()
    writer = csv.writer(table)
    writer.writerow(("start", "end", "speaker", "text"))
    for one in material.sentences:
        start, end = f"{one.start:.3f}", f"{one.end:.3f}"
        writer.writerow((start, end, _cell(one.speaker), _cell(one.text)))
    return "\ufeff" + table.getvalue()


def _cell(text: str) -> str:
    """Spreadsheets compute what looks like a formula (OWASP, CSV injection): not our text."""
    return f"'{text}" if text.startswith(_FORMULA) else text


def labels(material: Material) -> str:
    """Audacity's label track: start and end in seconds, the text; a label a sentence."""
    lines = []
    for sentence in material.sentences:
        speaker = f"{sentence.speaker}: " if sentence.speaker else ""
        lines.append(f"{sentence.start:.6f}\t{sentence.end:.6f}\t{speaker}{sentence.text}\n")
    return "".join(lines)
