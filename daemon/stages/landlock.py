"""Landlock (Linux 5.13 and later): which files this process may touch from now on, and no others.

The system calls of landlock(7), by number, since neither Python nor glibc wraps them; the numbers
are the same on every architecture. A process restricts itself, for ever, without any privilege.
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_VERSION = 1  # flag of _CREATE_RULESET: ask for the ABI's version only
_PATH_BENEATH = 1  # type of rule
_SET_NO_NEW_PRIVS = 38  # prctl(2); Landlock asks for it

# include/uapi/linux/landlock.h, with the ABI that brought each in
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
_MAKE_AND_REMOVE = sum(1 << bit for bit in range(4, 13))
_REFER = 1 << 13  # 2: rename and link between folders
_TRUNCATE = 1 << 14  # 3
_TCP = 0b11  # 4: bind and connect
_SCOPES = 0b11  # 6: abstract Unix sockets and signals of processes outside

_READ = _EXECUTE | _READ_FILE | _READ_DIR
_OF_A_FILE = _EXECUTE | _READ_FILE | _WRITE_FILE | _TRUNCATE  # the others are of folders only


def version() -> int:
    """The kernel's ABI; 0 where Landlock is missing or switched off."""
    if not sys.platform.startswith("linux"):
        return 0
    with suppress(OSError):
        return _syscall(_CREATE_RULESET, None, 0, _VERSION)
    return 0


def restrict(readable: Iterable[Path] | None, writable: Iterable[Path]) -> None:
    """Only below `readable` may be read (None: everywhere), only below `writable` written.

    Nor may this process use TCP, or signal others, where the kernel can forbid that. Paths that do
    not exist are passed over. Raises OSError if the kernel refuses.
    """
    abi = version()
    write = _WRITE_FILE | _MAKE_AND_REMOVE | (_REFER if abi >= 2 else 0)
    write |= _TRUNCATE if abi >= 3 else 0
    read = 0 if readable is None else _READ
    attributes = struct.pack(
        "=QQQ", read | write, _TCP if abi >= 4 else 0, _SCOPES if abi >= 6 else 0
    )
    size = 8 * (1 + (abi >= 4) + (abi >= 6))
    with ExitStack() as stack:
        ruleset = _syscall(_CREATE_RULESET, attributes, size, 0)
        stack.callback(os.close, ruleset)
        for path in readable or ():
            _allow(ruleset, path, read)
        for path in writable:
            _allow(ruleset, path, read | write)
        _no_new_privileges()
        _syscall(_RESTRICT_SELF, ruleset, 0)


def _allow(ruleset: int, path: Path, access: int) -> None:
    try:
        fd = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        allowed = access if path.is_dir() else access & _OF_A_FILE
        if allowed:
            _syscall(_ADD_RULE, ruleset, _PATH_BENEATH, struct.pack("=Qi", allowed, fd), 0)
    finally:
        os.close(fd)


def _no_new_privileges() -> None:
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _syscall(number: int, *arguments: int | bytes | None) -> int:
    library = ctypes.CDLL(None, use_errno=True)
    given = (
        ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments
    )
    result = int(library.syscall(ctypes.c_long(number), *given))
    if result < 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result
