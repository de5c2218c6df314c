"""SHA-256: whether a file holds the bytes that are meant."""

from __future__ import annotations

import hashlib
from io import BufferedReader
from pathlib import Path


def sha256_of(path: Path) -> str:
    """In hexadecimal. Raises OSError."""
    with path.open("rb") as file:
        return sha256_of_open(file)


def sha256_of_open(file: BufferedReader) -> str:
    """In hexadecimal, from where the file stands to its end. Raises OSError."""
    return hashlib.file_digest(file, "sha256").hexdigest()
