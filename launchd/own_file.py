"""The one file that makes a service: written whole, and never one that somebody else wrote."""

from __future__ import annotations

import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path

from launchd.agent_spec import MARKER
from launchd.errors import ServiceError


@dataclass(frozen=True, slots=True)
class OwnFile:
    """A service file at `path`, ours if it carries the marker."""

    path: Path

    def read(self) -> bytes | None:
        """Its content, or None where there is no file. Raises ServiceError for a stranger's."""
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ServiceError(f"cannot read {self.path}: {error.strerror}") from error
        if MARKER.encode() not in data:
            raise ServiceError(
                f"{self.path} was not written by dropscribe and was left alone. "
                "Move it away if you do not need it, then try again."
            )
        return data

    def write(self, data: bytes) -> None:
        """Replace the file, mode 0644: launchd refuses one that others could change.

        Raises ServiceError where the folder is open to others or cannot be written.
        """
        folder = self.path.parent
        temporary = folder / f".dropscribe-{secrets.token_hex(8)}.tmp"
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o755)
            if folder.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise ServiceError(
                    f"others may write to {folder}, so whatever runs from it is not safe. "
                    f"Close it with: chmod go-w '{folder}'"
                )
            try:
                _write_synced(temporary, data)
                temporary.replace(self.path)
            finally:
                temporary.unlink(missing_ok=True)
        except OSError as error:
            raise ServiceError(f"cannot write {self.path}: {error.strerror}") from error

    def put_back(self, data: bytes | None) -> None:
        """Restore what `read` gave before."""
        if data is None:
            self.remove()
        else:
            self.write(data)

    def remove(self) -> None:
        self.path.unlink(missing_ok=True)


def _write_synced(path: Path, data: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "wb") as file:
        os.fchmod(fd, 0o644)
        file.write(data)
        file.flush()
        os.fsync(fd)
