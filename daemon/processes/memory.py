"""How much memory a process really costs."""

from __future__ import annotations

import ctypes
import sys

import psutil


class _RusageInfoV0(ctypes.Structure):
    """`struct rusage_info_v0` of macOS's <sys/resource.h>; times in mach units, sizes in bytes."""

    _fields_ = (
        ("uuid", ctypes.c_uint8 * 16),
        ("user_time", ctypes.c_uint64),
        ("system_time", ctypes.c_uint64),
        ("pkg_idle_wkups", ctypes.c_uint64),
        ("interrupt_wkups", ctypes.c_uint64),
        ("pageins", ctypes.c_uint64),
        ("wired_size", ctypes.c_uint64),
        ("resident_size", ctypes.c_uint64),
        ("phys_footprint", ctypes.c_uint64),
        ("proc_start_abstime", ctypes.c_uint64),
        ("proc_exit_abstime", ctypes.c_uint64),
    )


def footprint(process: psutil.Process) -> int:
    """Bytes of memory that `process` is charged for. Raises psutil.Error if it is gone.

    On macOS this is the physical footprint, the number that the system kills by: it includes Metal
    buffers and compressed pages, which the resident set does not.
    """
    resident = int(process.memory_info().rss)
    if sys.platform != "darwin":
        return resident
    info = _RusageInfoV0()
    libproc = ctypes.CDLL("/usr/lib/libproc.dylib")
    failed = libproc.proc_pid_rusage(process.pid, 0, ctypes.byref(info))
    return resident if failed else int(info.phys_footprint)
