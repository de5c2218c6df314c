"""The outbox: names that never collide, and output sets that are whole when they can be seen."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Iterable, Mapping
from pathlib import Path

from daemon.domain.job import printable
from daemon.files.atomic import rename_without_clobbering, sync_folder, write_temporary

JSON = "json"  # the commit mark: it appears last
RESERVED = {"index"}  # index.html is the list of all recordings
_MAX_NAME_BYTES = 230  # leaves room for " (999)" and ".timing.json" within the usual 255


class TakenError(Exception):
    """A name of this output set belongs to another file."""


def stem_of(source: Path) -> str:
    """The outputs' stem for a source: only the last suffix goes, so dotted stems stay whole.

    Characters that forge lines or directions, and bytes that are no text, come out escaped.
    """
    return _safe(source.name.removesuffix(source.suffix))


def named(template: str, fields: Mapping[str, str]) -> str:
    """The stem that `output.name` asks for; whatever the values hold, a name inside the outbox.

    `template` is valid: the configuration has seen to it.
    """
    return _safe(template.format_map(fields))


def _safe(stem: str) -> str:
    flat = printable(stem).replace("\\", "_").replace("/", "_")
    return fitting(flat, "").lstrip(".").strip(" ") or "recording"


def fitting(name: str, suffix: str) -> str:
    """`name`, cut at a character so that with `suffix` it fits into a file name."""
    room = _MAX_NAME_BYTES - len(suffix.encode())
    return os.fsencode(name)[:room].decode("utf-8", "ignore")


def free_stem(outbox: Path, stem: str, suffixes: Iterable[str], reserved: Iterable[str]) -> str:
    """`stem`, or `stem (2)`, … : the first for which no output name is taken.

    Names are compared as case-insensitive, normalisation-insensitive volumes do (APFS).
    """
    taken = {_folded(path.name) for path in outbox.iterdir()}
    held = {_folded(one) for one in reserved}
    wanted = list(suffixes)
    number = 1
    while True:
        candidate = stem if number == 1 else f"{stem} ({number})"
        names = {_folded(f"{candidate}.{suffix}") for suffix in wanted}
        if not names & taken and _folded(candidate) not in held:
            return candidate
        number += 1


def publish(outbox: Path, stem: str, files: Mapping[str, bytes]) -> list[Path]:
    """Put a whole output set into the outbox, the JSON last; return the paths.

    Repeating it after a crash is harmless: a file that is there with our bytes is ours. Raises
    TakenError, leaving none of this call's files behind, if a name belongs to somebody else.
    """
    order = sorted(files, key=lambda suffix: suffix == JSON)
    paths = {suffix: outbox / f"{stem}.{suffix}" for suffix in order}
    appeared: list[Path] = []
    try:
        for suffix in order:
            if _is_ours(paths[suffix], files[suffix]):
                continue
            if suffix == JSON:
                sync_folder(outbox)  # the mark must not survive a power cut that its set did not
            place(files[suffix], paths[suffix])
            appeared.append(paths[suffix])
    except FileExistsError as error:
        for path in appeared:
            path.unlink(missing_ok=True)
        raise TakenError(str(error.filename2 or error.filename)) from error
    sync_folder(outbox)
    return list(paths.values())


def place(data: bytes, path: Path) -> None:
    """Make `path` appear, whole, with these bytes. Raises FileExistsError if it is there."""
    temporary = write_temporary(path.parent, data)
    try:
        rename_without_clobbering(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _is_ours(path: Path, data: bytes) -> bool:
    try:
        return not path.is_symlink() and path.read_bytes() == data
    except FileNotFoundError:
        return False


def _folded(name: str) -> str:
    return unicodedata.normalize("NFD", name).casefold()
