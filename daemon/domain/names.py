"""File names made fit: for a log or a terminal, for any volume, and numbered. Pure."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path, PurePosixPath

_MAX_NAME_BYTES = 255  # of common file systems
_ROOM = 25  # bytes for " (999999)" and ".timing.json" behind a stem
_PLAIN_CHARACTERS = 60
_PLAIN_SUFFIX = 20
# Behind such a stem, NAME.json would be taken for what lies beside another recording's.
_MISREAD = (".timing", ".verbose", ".labels", ".error")
_NOT_PLAIN = re.compile(r"[^A-Za-z0-9 ._()-]+")
_JOINERS = "\u200c\u200d"  # invisible, but they make emoji and Indic or Persian words what they are


@lru_cache(maxsize=1_024)
def printable(text: str) -> str:
    """`text` for a log or a terminal: control characters, bidi overrides and surrogates escaped."""
    if text.isprintable():
        return text
    return "".join(
        char
        if char.isprintable() or char in _JOINERS
        else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )


def stem_of(source: Path) -> str:
    """The outputs' stem for a source: only the last suffix goes, so dotted stems stay whole.

    Characters that forge lines or directions, and bytes that are no text, come out escaped.
    """
    return _safe(source.name.removesuffix(source.suffix))


@lru_cache(maxsize=1_024)
def inside_inbox(folder: Path, inbox: Path) -> PurePosixPath:
    """Where below the inbox a recording's folder lies; outbox and done/ mirror it.

    Parts that are no text get plain names.
    """
    if not folder.is_relative_to(inbox):
        return PurePosixPath()
    parts = folder.relative_to(inbox).parts
    return PurePosixPath(*(part if is_text(part) else plain_name(part) for part in parts))


def named(template: str, fields: Mapping[str, str]) -> str:
    """The stem that `output.name` asks for; whatever the values hold, a name inside the outbox.

    `template` is valid: the configuration has seen to it.
    """
    return _safe(template.format_map(fields))


def _safe(stem: str) -> str:
    flat = printable(stem).replace("\\", "_").replace("/", "_")
    fit = fitting(flat, "").lstrip(".").strip(" ") or "recording"
    return f"{fit}_" if fit.lower().endswith(_MISREAD) else fit


def fitting(stem: str, ending: str) -> str:
    """`stem`, cut at a character so that it fits into a file name with a number and `ending`."""
    room = _MAX_NAME_BYTES - _ROOM - len(os.fsencode(ending))
    return os.fsencode(stem)[:room].decode("utf-8", "ignore")


def plain(stem: str) -> str:
    """A short ASCII stem that every volume can hold, for one that refused `stem` itself."""
    ascii_only = unicodedata.normalize("NFKD", stem).encode("ascii", "ignore").decode()
    safe = _NOT_PLAIN.sub("-", ascii_only)[:_PLAIN_CHARACTERS]
    return safe.strip(" .-") or "recording"


def plain_name(name: str) -> str:
    """A whole file name that every volume can hold, with its suffix."""
    path = Path(printable(name))
    suffix = plain(path.suffix)[:_PLAIN_SUFFIX] if path.suffix else ""
    return f"{plain(path.stem)}.{suffix}" if suffix else plain(path.stem)


def numbered(stem: str, ending: str, is_taken: Callable[[str], bool]) -> Iterator[str]:
    """Names to try, likely free ones first: `stem + ending`, then with " (2)", " (3)" and so on.

    `is_taken` is asked a logarithmic number of times, however many equal names there are.
    """
    number = free_number(lambda candidate: is_taken(with_number(stem, candidate, ending)))
    while True:
        yield with_number(stem, number, ending)
        number += 1


def free_number(is_taken: Callable[[int], bool]) -> int:
    """A number from 1 that is not taken, while the one before it is: the first, as a rule."""
    last_taken, step = 0, 1
    while is_taken(last_taken + step):
        last_taken += step
        step *= 2
    free = last_taken + step
    while free - last_taken > 1:
        middle = (last_taken + free) // 2
        if is_taken(middle):
            last_taken = middle
        else:
            free = middle
    return free


def with_number(stem: str, number: int, ending: str) -> str:
    """`stem (number)ending`, without a number for the first; the stem is cut where it must be."""
    ending = f" ({number}){ending}" if number > 1 else ending
    raw = os.fsencode(stem)
    room = _MAX_NAME_BYTES - len(os.fsencode(ending))
    return (stem if len(raw) <= room else raw[:room].decode("utf-8", "ignore")) + ending


def is_text(name: str) -> bool:
    """Whether a name is valid UTF-8, as the ledger and the JSON need it."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
