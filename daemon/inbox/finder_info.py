"""What the Finder and iCloud say about a file, beyond its size and dates: is it all there?

A Mac can have a file of full size whose content is still on its way. The size then stands still,
so stillness is no proof. These signs are looked at before a file that has settled is read.
"""

from __future__ import annotations

import ctypes
import math
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

# Creation dates that mean "being copied". Apple's own FileProvider takes the first two for busy,
# and so do programs of OmniGroup and MEGA; the third is kMagicBusyCreationDate of Apple's Finder.h.
_BUSY_1904 = -2_082_844_800  # 1904-01-01 00:00:00 UTC, the zero of HFS
_BUSY_1984 = 443_779_200  # 1984-01-24 08:00:00 UTC, the Macintosh's first day
_BUSY_1946 = 0x4F3AFDB0 + _BUSY_1904  # 1946-02-14 00:34:56 in the local time of whoever copied
_TIME_ZONES = 14 * 3600  # seconds that local time may be away from UTC

_BROKEN = b"brokMACS"  # type and creator of a file that the Finder has not finished
_SF_DATALESS = 0x40000000  # sys/stat.h: the content is elsewhere, in iCloud for example
_XATTR_NOFOLLOW = 1  # sys/xattr.h


@dataclass(frozen=True, slots=True)
class Facts:
    """What only macOS knows of a file; `Facts()` where it has nothing to say."""

    birth: float | None = None  # creation date, seconds since 1970
    flags: int = 0  # st_flags
    finder_info: bytes = b""  # the extended attribute com.apple.FinderInfo, 32 bytes


@dataclass(frozen=True, slots=True)
class Ready:
    pass


@dataclass(frozen=True, slots=True)
class Busy:
    """Somebody says that it is still being copied.

    `patience` is for how many seconds of stillness that is believed. Old photo libraries and other
    programs leave the 1984 date on files that are whole, and no file may wait for ever for that.
    """

    reason: str
    patience: float = math.inf


@dataclass(frozen=True, slots=True)
class Dataless:
    """The name is here, the content is not: reading it would wait for a download."""

    reason: str = "its content is still in iCloud; waiting for the download"


Readiness = Ready | Busy | Dataless
Probe = Callable[[Path, os.stat_result], Facts]


def probe(path: Path, status: os.stat_result) -> Facts:
    """Ask macOS, without opening the file; elsewhere there is nothing to ask."""
    if sys.platform != "darwin":
        return Facts()
    return Facts(status.st_birthtime, status.st_flags, _finder_info(path))


def readiness(path: Path, status: os.stat_result, probe: Probe = probe) -> Readiness:
    """Whether a file, seen by lstat as `status`, may be read now."""
    facts = probe(path, status)
    if facts.flags & _SF_DATALESS:
        return Dataless()
    if facts.finder_info.startswith(_BROKEN):
        return Busy("the Finder has not finished copying it")
    if facts.birth is None:
        return Ready()
    if facts.birth == _BUSY_1904 or abs(facts.birth - _BUSY_1946) <= _TIME_ZONES:
        return Busy("it is still being copied")
    if facts.birth == _BUSY_1984:
        return Busy("it looks as if it were still being copied", patience=600.0)
    return Ready()


def _finder_info(path: Path) -> bytes:
    """getxattr(2) as macOS has it; Python offers only Linux's."""
    library = ctypes.CDLL(None)
    library.getxattr.restype = ctypes.c_ssize_t
    library.getxattr.argtypes = [
        ctypes.c_char_p,
        ctypes.c_char_p,
        ctypes.c_void_p,
        ctypes.c_size_t,
        ctypes.c_uint32,
        ctypes.c_int,
    ]
    value = ctypes.create_string_buffer(32)
    size = library.getxattr(
        os.fsencode(path), b"com.apple.FinderInfo", value, len(value), 0, _XATTR_NOFOLLOW
    )
    return value.raw[: max(size, 0)]
