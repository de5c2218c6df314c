"""Every format of the outbox beside the two JSON documents: what renders it, how its file ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from daemon.domain.suffixes import SUFFIXES
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


def _text(render: Callable[[Material], str]) -> Callable[[Material], bytes]:
    return lambda material: render(material).encode()


_RENDERERS: Mapping[str, Callable[[Material], bytes]] = {
    "txt": _text(text_files.txt),
    "md": _text(text_files.md),
    "docx": docx,
    "html": html,
    "srt": _text(subtitle_files.srt),
    "vtt": _text(subtitle_files.vtt),
    "ass": _text(subtitle_files.ass),
    "lrc": _text(subtitle_files.lrc),
    "tsv": _text(text_files.tsv),
    "csv": _text(text_files.csv_table),
    "labels": _text(text_files.labels),
    "verbose_json": verbose_json,
}
FORMATS: Mapping[str, Format] = {
    name: Format(suffix, _RENDERERS[name]) for name, suffix in SUFFIXES.items()
}


def render(material: Material, names: Iterable[str]) -> dict[str, bytes]:
    """The files of these formats, by suffix. Raises KeyError for a name that is none."""
    return {FORMATS[name].suffix: FORMATS[name].render(material) for name in names}
