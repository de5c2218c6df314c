"""seccomp(2) on Linux: system calls that this process may not make from now on.

A filter is a small program for the kernel's BPF machine, run before each call. Ours allows what it
does not name: a list of all that Python, FFmpeg and ONNX Runtime may call would break with each of
their versions, while what an intruder needs to leave the process is known and short.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
import sys
from collections.abc import Iterator

_SET_NO_NEW_PRIVS = 38  # prctl(2)
_SET_MODE_FILTER = 1
_ALL_THREADS = 1  # flag
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000

# linux/bpf_common.h: load a word; jump if equal, if at least, if any bit; return
_LOAD, _IF_EQUAL, _IF_AT_LEAST, _IF_BITS, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in struct seccomp_data
_X32 = 0x40000000  # x86-64's second numbering of the same calls
_CLONE_THREAD = 0x10000
_AF_UNIX = 1

_Calls = dict[str, int]
# asm/unistd.h. Numbers from 424 on are the same everywhere.
_COMMON: _Calls = {
    "pidfd_send_signal": 424,
    "io_uring_setup": 425,
    "io_uring_enter": 426,
    "io_uring_register": 427,
    "open_tree": 428,
    "move_mount": 429,
    "fsopen": 430,
    "fsmount": 432,
    "pidfd_open": 434,
    "clone3": 435,
    "pidfd_getfd": 438,
    "mount_setattr": 442,
    "fchmodat2": 452,
}
# fmt: off
_X86_64: _Calls = _COMMON | {
    "seccomp": 317, "socket": 41, "socketpair": 53, "bind": 49, "connect": 42, "listen": 50,
    "clone": 56, "fork": 57, "vfork": 58, "execve": 59, "execveat": 322,
    "kill": 62, "tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297,
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311,
    "mount": 165, "umount2": 166, "pivot_root": 155, "chroot": 161, "setns": 308, "unshare": 272,
    "bpf": 321, "perf_event_open": 298, "userfaultfd": 323, "keyctl": 250, "add_key": 248,
    "request_key": 249, "name_to_handle_at": 303, "open_by_handle_at": 304, "personality": 135,
    "kexec_load": 246, "init_module": 175, "finit_module": 313, "delete_module": 176,
    "reboot": 169, "swapon": 167, "acct": 163, "quotactl": 179, "settimeofday": 164,
    "clock_settime": 227,
    "chmod": 90, "fchmod": 91, "fchmodat": 268, "chown": 92, "fchown": 93, "lchown": 94,
    "fchownat": 260, "setxattr": 188, "lsetxattr": 189, "fsetxattr": 190, "removexattr": 197,
    "lremovexattr": 198, "fremovexattr": 199, "utime": 132, "utimes": 235, "futimesat": 261,
    "utimensat": 280,
}
_AARCH64: _Calls = _COMMON | {
    "seccomp": 277, "socket": 198, "socketpair": 199, "bind": 200, "connect": 203, "listen": 201,
    "clone": 220, "execve": 221, "execveat": 281,
    "kill": 129, "tkill": 130, "tgkill": 131, "rt_sigqueueinfo": 138, "rt_tgsigqueueinfo": 240,
    "ptrace": 117, "process_vm_readv": 270, "process_vm_writev": 271,
    "mount": 40, "umount2": 39, "pivot_root": 41, "chroot": 51, "setns": 268, "unshare": 97,
    "bpf": 280, "perf_event_open": 241, "userfaultfd": 282, "keyctl": 219, "add_key": 217,
    "request_key": 218, "name_to_handle_at": 264, "open_by_handle_at": 265, "personality": 92,
    "kexec_load": 104, "init_module": 105, "finit_module": 273, "delete_module": 106,
    "reboot": 142, "swapon": 224, "acct": 89, "quotactl": 60, "settimeofday": 170,
    "clock_settime": 112,
    "fchmod": 52, "fchmodat": 53, "fchown": 55, "fchownat": 54, "setxattr": 5, "lsetxattr": 6,
    "fsetxattr": 7, "removexattr": 14, "lremovexattr": 15, "fremovexattr": 16, "utimensat": 88,
}
_MACHINES = {"x86_64": (0xC000003E, _X86_64), "aarch64": (0xC00000B7, _AARCH64)}

# What no stage does: to look into other processes, change what is mounted, reach the kernel itself,
# or queue calls past this filter (io_uring).
_NEVER = (
    "ptrace", "process_vm_readv", "process_vm_writev", "pidfd_open", "pidfd_getfd",
    "pidfd_send_signal", "rt_sigqueueinfo", "rt_tgsigqueueinfo", "mount", "umount2", "pivot_root",
    "chroot", "setns", "unshare", "open_tree", "move_mount", "fsopen", "fsmount", "mount_setattr",
    "bpf", "perf_event_open", "userfaultfd", "keyctl", "add_key", "request_key",
    "name_to_handle_at", "open_by_handle_at", "personality", "kexec_load", "init_module",
    "finit_module", "delete_module", "reboot", "swapon", "acct", "quotactl", "settimeofday",
    "clock_settime", "io_uring_setup", "io_uring_enter", "io_uring_register",
)
# What the decoder does not do besides: run programs, talk to anybody, change modes and times, which
# Landlock does not guard.
_DECODER = (
    "execve", "execveat", "fork", "vfork", "socket", "socketpair", "bind", "connect", "listen",
    "chmod", "fchmod", "fchmodat", "fchmodat2", "chown", "fchown", "lchown", "fchownat",
    "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr",
    "utime", "utimes", "futimesat", "utimensat",
)
# fmt: on


def is_available() -> bool:
    return sys.platform.startswith("linux") and platform.machine() in _MACHINES


def restrict_decoder() -> None:
    """No other program, no network, no signal but to ourselves. Raises OSError."""
    _restrict([*_denied(*_NEVER, *_DECODER), *_threads_only(), *_own_signals_only()])


def restrict_network() -> None:
    """No socket but local ones (AF_UNIX). Raises OSError."""
    _restrict([*_denied(*_NEVER), *_local_sockets_only()])


_Instruction = tuple[int, int, int, int]  # code, jump if true, jump if false, operand


def _denied(*names: str) -> Iterator[_Instruction]:
    calls = _calls()
    for name in names:
        if name in calls:
            yield (_IF_EQUAL, 0, 1, calls[name])
            yield _refusal(errno.EPERM)


def _threads_only() -> Iterator[_Instruction]:
    """clone3's flags lie in memory, out of the filter's sight; libraries then use clone."""
    calls = _calls()
    yield (_IF_EQUAL, 0, 1, calls["clone3"])
    yield _refusal(errno.ENOSYS)
    yield (_IF_EQUAL, 0, 4, calls["clone"])
    yield (_LOAD, 0, 0, _FIRST_ARGUMENT)
    yield (_IF_BITS, 0, 1, _CLONE_THREAD)
    yield (_RETURN, 0, 0, _ALLOW)
    yield _refusal(errno.EPERM)


def _own_signals_only() -> Iterator[_Instruction]:
    """abort() and raise() are signals to oneself; tkill names a thread, of anybody."""
    calls = _calls()
    yield from _denied("tkill")
    for name in ("kill", "tgkill"):
        yield (_IF_EQUAL, 0, 4, calls[name])
        yield (_LOAD, 0, 0, _FIRST_ARGUMENT)
        yield (_IF_EQUAL, 0, 1, os.getpid())
        yield (_RETURN, 0, 0, _ALLOW)
        yield _refusal(errno.EPERM)


def _local_sockets_only() -> Iterator[_Instruction]:
    yield (_IF_EQUAL, 0, 4, _calls()["socket"])
    yield (_LOAD, 0, 0, _FIRST_ARGUMENT)
    yield (_IF_EQUAL, 0, 1, _AF_UNIX)
    yield (_RETURN, 0, 0, _ALLOW)
    yield _refusal(errno.EACCES)


def _refusal(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | number)


def _calls() -> _Calls:
    return _MACHINES[platform.machine()][1]


def _restrict(rules: list[_Instruction]) -> None:
    architecture, calls = _MACHINES[platform.machine()]
    program: list[_Instruction] = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IF_EQUAL, 1, 0, architecture),
        _refusal(errno.EPERM),  # calls in another machine's numbering (32 bits) are not ours
        (_LOAD, 0, 0, _NUMBER),
        (_IF_AT_LEAST, 0, 1, _X32),
        _refusal(errno.EPERM),
        *rules,
        (_RETURN, 0, 0, _ALLOW),
    ]
    code = ctypes.create_string_buffer(
        b"".join(struct.pack("=HBBI", *instruction) for instruction in program)
    )
    header = struct.pack("@HP", len(program), ctypes.addressof(code))
    library = ctypes.CDLL(None, use_errno=True)
    if library.prctl(_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        number = ctypes.c_long(calls["seccomp"])
        if library.syscall(number, _SET_MODE_FILTER, _ALL_THREADS, header) == 0:
            return
    error = ctypes.get_errno()
    raise OSError(error, os.strerror(error))
