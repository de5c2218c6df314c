"""Values of options that several commands take."""

from __future__ import annotations

from pathlib import Path

import click

from daemon.errors import UsageError
from daemon.rendering.formats import FORMATS

EXISTING_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
NEW_FILE = click.Path(dir_okay=False, path_type=Path)
FOLDER = click.Path(file_okay=False, path_type=Path)


def chosen_formats(given: str) -> tuple[str, ...]:
    """The formats in a comma-separated list; "all" is every one, and the JSON is always written.

    Raises UsageError for an unknown or no format.
    """
    names = tuple(name.strip().lower() for name in given.split(",") if name.strip())
    if "json" in names:
        names = tuple(name for name in names if name != "json")
        if not names:
            return ()
    if names == ("all",):
        return tuple(FORMATS)
    known = ", ".join(FORMATS)
    if unknown := [name for name in names if name not in FORMATS]:
        raise UsageError(f"{unknown[0]}: no such format; there are {known}")
    if not names:
        raise UsageError(f"no format is named; there are {known}")
    return names
