"""A stretch of an open file, read as if it were a whole file."""

from __future__ import annotations

import os
from io import BufferedReader


class Section:
    """What lies between two offsets of a file; both ends of it by default."""

    def __init__(self, file: BufferedReader, start: int = 0, end: int | None = None) -> None:
        whole = os.fstat(file.fileno()).st_size
        self.start = start
        self.size = max((whole if end is None else min(end, whole)) - start, 0)
        self.file = file
        self.seek(0)

    def tell(self) -> int:
        return self.file.tell() - self.start

    def read(self, size: int = -1) -> bytes:
        left = max(self.size - self.tell(), 0)
        return self.file.read(left if size < 0 else min(size, left))

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Raises OSError, OverflowError or ValueError where there is no such place."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self.tell(), os.SEEK_END: self.size}.get(whence)
        if base is None or base + offset < 0:
            raise ValueError("there is no such place")
        return self.file.seek(self.start + base + offset) - self.start

    def peek(self, at: int, length: int) -> bytes:
        """Up to `length` bytes from offset `at`, without a change of the place of reading."""
        if not 0 <= at < self.size:
            return b""
        return os.pread(self.file.fileno(), min(length, self.size - at), self.start + at)
