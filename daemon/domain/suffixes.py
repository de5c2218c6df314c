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


def track_prefix(number: int) -> str:
    """What stands before the suffix of a track's files, where each track has its own."""
    return f"track{number}." if number > 1 else ""
