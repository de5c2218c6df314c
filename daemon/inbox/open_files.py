"""Who still has a file open for writing: a recorder that pauses, a copy that stalls.

Linux tells in /proc, macOS in libproc. Only processes of the same user can be asked; on a network
volume the writer may be another machine, so there nobody is asked.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import struct
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil

from daemon.files.volumes import needs_polling

_FRESH_SECONDS = 1.0  # for as long one look at all processes is believed
_LONGEST_LOOK = 0.25  # seconds; a machine with very many open files is looked at in part only

# Of macOS: sys/proc_info.h and libproc.h.
_LIST_FDS = 1  # PROC_PIDLISTFDS
_PATH_OF_FD = 2  # PROC_PIDFDVNODEPATHINFO
_IS_FILE = 1  # PROX_FDTYPE_VNODE
_WRITING = 0x2  # FWRITE, in fi_openflags
_INFO_SIZE = 1200  # struct vnode_fdinfowithpath
_PATH_AT = 176  # behind struct proc_fileinfo (24 bytes) and struct vnode_info (152)

Open = tuple[int, str]  # process id, path
Look = Callable[[str], Iterator[Open]]


class OpenFiles:
    """Which files below a folder somebody has open for writing."""

    def __init__(
        self,
        folder: Path,
        clock: Callable[[], float] = time.monotonic,
        look: Look | None = None,
        is_remote: Callable[[Path], bool] = needs_polling,
    ) -> None:
        self._folder = folder
        self._root = ""  # the folder as the system names it, where a link leads to it
        self._clock = clock
        self._look = look or (_look_in_libproc if sys.platform == "darwin" else _look_in_proc)
        self._is_remote = is_remote
        self._writers: dict[str, int] = {}
        self._saw_all = False  # whether the last look was not cut short
        self._looked_at = -_FRESH_SECONDS

    def writer(self, path: Path) -> str | None:
        """The name of a program that has `path` open for writing; None if none is known."""
        now = self._clock()
        if now - self._looked_at >= _FRESH_SECONDS:
            self._look_anew(now)
        pid = self._writers.get(self._real(path))
        if pid is None:
            return None
        with contextlib.suppress(psutil.Error):
            return psutil.Process(pid).name()
        return "another program"

    def is_closed(self, path: Path, since: float) -> bool:
        """Whether no program had `path` open for writing at `since` (monotonic) or later.

        False where that cannot be known.
        """
        if self._looked_at < since:
            self._look_anew(self._clock())
        return self._saw_all and self._real(path) not in self._writers

    def _real(self, path: Path) -> str:
        """As the last look named it; no link inside the folder is followed."""
        return f"{self._root}{str(path).removeprefix(f'{self._folder}/')}"

    def _look_anew(self, now: float) -> None:
        self._looked_at = now
        self._writers, self._saw_all = {}, False
        if self._is_remote(self._folder):
            return
        self._root = f"{os.path.realpath(self._folder)}{os.sep}"
        for pid, path in self._look(self._root):
            self._writers[path] = pid
            if self._clock() - now > _LONGEST_LOOK:
                return
        self._saw_all = True


def _look_in_proc(prefix: str) -> Iterator[Open]:
    """Linux: files whose path begins with `prefix`, open for writing."""
    for pid in psutil.pids():
        folder = f"/proc/{pid}/fd"
        with contextlib.suppress(OSError):  # another user's, or gone
            for fd in os.listdir(folder):  # noqa: PTH208 - names, not paths
                with contextlib.suppress(OSError):
                    path = os.readlink(f"{folder}/{fd}")  # noqa: PTH115 - a string is compared
                    if path.startswith(prefix) and _is_for_writing(pid, fd):
                        yield pid, path


def _is_for_writing(pid: int, fd: str) -> bool:
    """By the flags in octal of /proc/PID/fdinfo/FD."""
    info = Path(f"/proc/{pid}/fdinfo/{fd}").read_text(encoding="ascii")
    flags = next((line.split()[1] for line in info.splitlines() if line.startswith("flags:")), "0")
    return int(flags, 8) & os.O_ACCMODE != os.O_RDONLY


def _look_in_libproc(prefix: str) -> Iterator[Open]:
    """macOS: files whose path begins with `prefix`, open for writing."""
    library = ctypes.CDLL("/usr/lib/libproc.dylib")
    for pid in psutil.pids():
        size = library.proc_pidinfo(pid, _LIST_FDS, ctypes.c_uint64(0), None, 0)
        if size <= 0:  # another user's, or gone
            continue
        table = ctypes.create_string_buffer(size)
        size = library.proc_pidinfo(pid, _LIST_FDS, ctypes.c_uint64(0), table, size)
        for fd, kind in struct.iter_unpack("=iI", table.raw[: max(size, 0) // 8 * 8]):
            if kind != _IS_FILE:
                continue
            info = ctypes.create_string_buffer(_INFO_SIZE)
            if library.proc_pidfdinfo(pid, fd, _PATH_OF_FD, info, _INFO_SIZE) == _INFO_SIZE:
                path = path_if_writing(info.raw)
                if path is not None and path.startswith(prefix):
                    yield pid, path


def path_if_writing(info: bytes) -> str | None:
    """The path in a `struct vnode_fdinfowithpath`, if the file is open for writing."""
    (flags,) = struct.unpack_from("=I", info)
    if not flags & _WRITING:
        return None
    return os.fsdecode(info[_PATH_AT:].split(b"\0", 1)[0])
