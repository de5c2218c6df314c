"""Times as the formats write them."""

from __future__ import annotations


def stamp(seconds: float, separator: str) -> str:
    """HH:MM:SS and milliseconds: SubRip separates them by a comma, WebVTT by a full stop."""
    milliseconds = round(seconds * 1000)
    hours, rest = divmod(milliseconds, 3_600_000)
    minutes, rest = divmod(rest, 60_000)
    whole, fraction = divmod(rest, 1000)
    return f"{hours:02d}:{minutes:02d}:{whole:02d}{separator}{fraction:03d}"


def clock(seconds: float) -> str:
    """Minutes and seconds, as people write them: 12:24, or 1:02:03. Rounded down."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
