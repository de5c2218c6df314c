"""Every format of the outbox beside the two JSON documents: what renders it, how its file ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from daemon.rendering import subtitle_files, text_files
from daemon.rendering.docx_file import docx
from daemon.rendering.material import Material
from daemon.rendering.page import html
from daemon.rendering.verbose_json import verbose_json


@dataclass(frozen=True, slots=True)
class Format:
    """`render` returns a whole file; `suffix` is what follows the outputs' stem and a full stop."""

    suffix: str
    render: Callable[[Material], bytes]


def _text(suffix: str, render: Callable[[Material], str]) -> Format:
    return Format(suffix, lambda material: render(material).encode())


FORMATS: Mapping[str, Format] = {
    "txt": _text("txt", text_files.txt),
    "md": _text("md", text_files.md),
    "docx": Format("docx", docx),
    "html": Format("html", html),
    "srt": _text("srt", subtitle_files.srt),
    "vtt": _text("vtt", subtitle_files.vtt),
    "ass": _text("ass", subtitle_files.ass),
    "lrc": _text("lrc", subtitle_files.lrc),
    "tsv": _text("tsv", text_files.tsv),
    "csv": _text("csv", text_files.csv_table),
    "labels": _text("labels.txt", text_files.labels),
    "verbose_json": Format("verbose.json", verbose_json),
}


def render(material: Material, names: Iterable[str]) -> dict[str, bytes]:
    """The files of these formats, by suffix. Raises KeyError for a name that is none."""
    return {FORMATS[name].suffix: FORMATS[name].render(material) for name in names}
