"""Folders that macOS guards: a service may be denied there, or held up by a question to the user.

Since macOS 10.15 a program needs the user's consent to list, or to read from, Desktop, Documents,
Downloads, iCloud Drive, and network and removable volumes (Apple Platform Security, "Controlling
app access to files in macOS"; eclecticlight.co of 2020-01-16 adds other clouds, and of 2026-04-07
that stat and writing need none). A terminal's grants are not a LaunchAgent's: there, the same read
is denied (github.com/theQuert/cc-reaper/issues/21) or waits for an answer, for hours if nobody is
there (github.com/philgutowski/relay/issues/43).
"""

from __future__ import annotations

import sys
from pathlib import Path

# Below the home folder, and the name by which a person knows it.
_AT_HOME = {
    "Desktop": "the Desktop",
    "Documents": "Documents",
    "Downloads": "Downloads",
    "Library/Mobile Documents": "iCloud Drive",
    "Library/CloudStorage": "a cloud's folder",
}
_VOLUMES = Path("/Volumes")  # where removable and network volumes are mounted


def guarded_place(path: Path, home: Path | None = None, platform: str = sys.platform) -> str | None:
    """Which guarded folder an absolute `path` lies in, as a person calls it; None for no such.

    By the path alone: to look into such a folder may be to wait. Letter case is left out, as most
    volumes of a Mac do.
    """
    if platform != "darwin":
        return None
    lies_in = _Folded(path)
    for folder, called in _AT_HOME.items():
        if lies_in.below((home or Path.home()) / folder):
            return called
    return (
        f"the volume {path.parts[2]}" if lies_in.below(_VOLUMES) and len(path.parts) > 2 else None
    )


class _Folded:
    """A path whose parts are compared without their case."""

    def __init__(self, path: Path) -> None:
        self._parts = [part.casefold() for part in path.parts]

    def below(self, folder: Path) -> bool:
        wanted = [part.casefold() for part in folder.parts]
        return self._parts[: len(wanted)] == wanted


def why_blocked(folder: Path, home: Path | None = None, platform: str = sys.platform) -> str:
    """A folder neither answers nor is denied: what that may be, and what to do now."""
    place = guarded_place(folder, home, platform)
    if place is not None:
        return (
            f"{folder} does not answer: it lies in {place}, and macOS may be asking on the screen"
            " whether python may read it; answer that, or choose a folder elsewhere in your home"
        )
    return (
        f"{folder} does not answer: connect its disk or server again, and answer the question of"
        " macOS if there is one on the screen"
    )
