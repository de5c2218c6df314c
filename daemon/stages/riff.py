"""A WAV file says how long it is; its decoder believes what is there. The two may differ."""

from __future__ import annotations

import os
import struct
from io import BufferedReader

_UNKNOWN = 0x7FFFFFFF  # and more: written by programs that could not go back to fill it in


def is_cut_off(file: BufferedReader) -> bool:
    """Whether `file` is a RIFF file that ends before its header says."""
    file.seek(0)
    header = file.read(12)
    if len(header) < 12 or header[:4] != b"RIFF" or header[8:] != b"WAVE":
        return False
    (size,) = struct.unpack("<I", header[4:8])
    return bool(os.fstat(file.fileno()).st_size < size + 8 <= _UNKNOWN)
