"""How the files of each format end: what follows the outputs' stem and a full stop."""

from __future__ import annotations

from collections.abc import Mapping

SUFFIXES: Mapping[str, str] = {
    "txt": "txt",
    "md": "md",
    "docx": "docx",
    "html": "html",
    "srt": "srt",
    "vtt": "vtt",
    "ass": "ass",
    "lrc": "lrc",
    "tsv": "tsv",
    "csv": "csv",
    "labels": "labels.txt",
    "verbose_json": "verbose.json",
}
