"""What a file is that FFmpeg does not take for a recording, for a person."""

from __future__ import annotations

from daemon.stages.boxes import boxes
from daemon.stages.section import Section

_HEAD = 4096  # bytes
_BEGINNINGS = (
    (b"%PDF-", "it is a PDF document"),
    (b"PK\3\4", "it is a ZIP archive or an office document: unpack it first"),
    (b"Rar!\x1a", "it is an archive: unpack it first"),
    (b"7z\xbc\xaf\x27\x1c", "it is an archive: unpack it first"),
    (b"\x1f\x8b", "it is an archive: unpack it first"),
    (b"\xff\xd8\xff", "it is a picture"),
    (b"\x89PNG\r\n", "it is a picture"),
    (b"GIF8", "it is a picture"),
    (b"{\\rtf", "it is a text"),
    (b"#EXTM3U", "it is a playlist, which names recordings and holds none"),
)
_WEB_PAGES = (b"<!doctype html", b"<html")
_NO_INDEX = (
    "its index (moov) is missing: its recorder was stopped before the end, or it is cut off; copy"
    " it again, or mend it with the program that recorded it"
)


def why_unreadable(file: Section) -> tuple[str, bool]:
    """The reason, and whether more bytes would not change it."""
    head = file.peek(0, _HEAD)
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if text.startswith(_WEB_PAGES):
        return "it is a web page, not a recording: download it again", True
    for beginning, what in _BEGINNINGS:
        if head.startswith(beginning):
            return what, True
    if len(head) == _HEAD and not any(head):
        return "it begins with zeros only: it was not copied or downloaded completely", False
    names = {name for _, _, name in boxes(file)} if head[4:8] in (b"ftyp", b"mdat") else set()
    if names and b"moov" not in names:
        return _NO_INDEX, False
    return "it is not an audio or video file, or it is cut off", False
