"""Are these the weights that we mean? Their SHA-256 is looked at before each load."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path

from daemon.errors import DropscribeError

# The bundled weights, by folder and file name.
_BUNDLED = {
    "whisper-demo/weights.safetensors": (
        "3bdc3c33426f5b89fa3b6e6458a016343e2a819987fb76ae6aecdc940953c5d3"
    ),
    "align-demo/model.safetensors": (
        "f317e90dfb298b98170e46eda5a4d41fcdc5bc0d22ef41d00d55a44161393bb8"
    ),
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


class TamperedModelError(DropscribeError):
    """The file is not the one that was published; nothing of it is loaded."""


def verify(folder: Path) -> int:
    """Hold the weights in `folder` against what is known of them; how many files are known.

    Known are the bundled models, and whatever lies in the hub's cache: that stores each large file
    under its SHA-256. Other folders are the user's own. Raises TamperedModelError.
    """
    known = list(_known(folder))
    for path, expected in known:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != expected:
            raise TamperedModelError(
                f"the model file {path} is damaged or was changed: delete it and run"
                " `dropscribe models fetch`, or install dropscribe again if it is a bundled one"
            )
    return len(known)


def _known(folder: Path) -> Iterator[tuple[Path, str]]:
    for path in sorted(folder.iterdir()) if folder.is_dir() else []:
        pinned = _BUNDLED.get(f"{folder.name}/{path.name}")
        if pinned is not None and folder.parent.name == "bundled":
            yield path, pinned
        elif path.is_symlink() and _SHA256.fullmatch(path.resolve().name):
            yield path, path.resolve().name
