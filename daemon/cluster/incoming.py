"""Recordings on their way to this machine: streamed to disk, resumed where they broke off, proven.

partial/KEY            what has come so far; it outlives the connection
inbox/NONCE/           a recording that is whole, and the profile it is worked on by
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import tomli_w

from daemon.config.profile import FOLDER_PROFILE
from daemon.domain.transcript import Json
from daemon.domain.validation import Count, Line
from daemon.files.atomic import sha256_of

_KEPT_SECONDS = 86_400.0  # a part of a recording, for its rest
NONCE = re.compile(r"[0-9a-f]{16}")
_KEY = re.compile(r"[0-9a-f]{64}")
_SUFFIX = re.compile(r"\.[A-Za-z0-9]{1,8}")


class RefusedError(Exception):
    """What was sent cannot be taken; the text says why."""


@dataclass(frozen=True, slots=True)
class Offer:
    """A recording that is about to come. `key` is the same whenever it is offered."""

    nonce: Line
    key: Line
    suffix: Line
    bytes: Count
    profile: Json

    def check(self, most_bytes: int) -> None:
        """Raises RefusedError: its names become names of files here."""
        if not NONCE.fullmatch(self.nonce) or not _KEY.fullmatch(self.key):
            raise RefusedError("its names are not dropscribe's")
        if self.suffix and not _SUFFIX.fullmatch(self.suffix):
            raise RefusedError("its suffix is not a recording's")
        if self.bytes > most_bytes:
            raise RefusedError("it is larger than this machine takes")


class Incoming:
    """Every method is called from the thread that reads the connection. Raises OSError."""

    def __init__(self, folder: Path, inbox: Path) -> None:
        self._partial = folder / "partial"
        self._inbox = inbox
        self._partial.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open: dict[str, tuple[Offer, BinaryIO]] = {}  # by nonce
        self._sweep()

    def begin(self, offer: Offer) -> int:
        """Make ready for a recording; return how many bytes of it are here."""
        if any(offer.key == other.key for other, _ in self._open.values()):
            raise RefusedError("the same recording is on its way already")
        file = (self._partial / offer.key).open("ab")
        if file.tell() > offer.bytes:
            file.truncate(0)
        self._open[offer.nonce] = offer, file
        return file.tell()

    def append(self, nonce: str, data: bytes) -> None:
        """More of it; nothing, if it was recalled."""
        if (found := self._open.get(nonce)) is None:
            return
        offer, file = found
        if file.tell() + len(data) > offer.bytes:
            raise RefusedError("more came than was announced")
        file.write(data)

    def finish(self, nonce: str, sha256: str) -> Path | None:
        """The recording in its folder, proven to be what was sent; None if it was recalled."""
        if (found := self._open.pop(nonce, None)) is None:
            return None
        offer, file = found
        file.close()
        partial = self._partial / offer.key
        if sha256_of(partial) != sha256:
            partial.unlink()
            raise RefusedError("it did not arrive as it was sent")
        folder = self._inbox / nonce
        folder.mkdir(mode=0o700)
        (folder / FOLDER_PROFILE).write_text(tomli_w.dumps(offer.profile), encoding="utf-8")
        return partial.rename(folder / f"recording{offer.suffix}")

    def drop(self, nonce: str) -> None:
        """It is not wanted any more; what came may be of use later."""
        if (found := self._open.pop(nonce, None)) is not None:
            found[1].close()

    def close(self) -> None:
        for nonce in list(self._open):
            self.drop(nonce)

    def _sweep(self) -> None:
        for path in self._partial.iterdir():
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > _KEPT_SECONDS:
                    path.unlink()


def remove(recording: Path) -> None:
    """Nothing of somebody else's recording stays here."""
    shutil.rmtree(recording.parent, ignore_errors=True)
