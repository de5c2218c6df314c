"""What a stage may touch: its descriptors, its files, no network; and what it has used.

PREPARE reads bytes from strangers with a million lines of C (FFmpeg). It opens the recording, then
shuts the door (`confine_decoder`) before anything reads a byte of it: Landlock, seccomp and
resource limits on Linux, a sandbox profile on macOS. TRANSCRIBE and ALIGN see decoded audio only;
they may read anything, write into their folders, and reach no network (`confine_model`).
"""

from __future__ import annotations

import errno
import os
import re
import resource
import sys
import sysconfig
from collections.abc import Callable
from pathlib import Path

import daemon
from daemon.stages import landlock, seatbelt, seccomp

_Act = Callable[[], None]

_GB = 1_000_000_000
_DECODER_MEMORY = 4 * _GB  # bytes of data; the audio itself lies in a mapped file
_BYTES_A_SECOND = 16_000 * 4 * 8  # float32, and as many as eight channels before they are mixed
_SMALL_FILES = 100_000_000
_DECODER_FILES = 64
_DECODER_CPU_SECONDS = 4 * 3600

# What the decoder's libraries read besides themselves: the loader's, the time zone, the processor.
_SYSTEM = (
    *("/usr/lib", "/usr/lib64", "/lib", "/lib64", "/usr/local/lib", "/usr/share/zoneinfo"),
    *("/etc/ld.so.cache", "/etc/localtime", "/dev/null", "/dev/urandom", "/proc/self"),
    *("/proc/cpuinfo", "/proc/meminfo", "/sys/devices/system/cpu", "/sys/fs/cgroup"),
)


# The door


def confine_decoder(folder: Path, audio_seconds: float) -> list[str]:
    """From now on: `folder`, our own libraries, and what is open already. Call it before threads.

    `audio_seconds` is the most that may be decoded: it bounds what can be written to one file.
    Returns the names of what holds; one that this system lacks, or refuses, is missing from it.
    """
    _limit(resource.RLIMIT_FSIZE, int(audio_seconds * _BYTES_A_SECOND) + _SMALL_FILES)
    _limit(resource.RLIMIT_NOFILE, _DECODER_FILES)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, _DECODER_CPU_SECONDS)
    _limit(resource.RLIMIT_DATA, _DECODER_MEMORY)
    refuse_network()
    readable = [*_installation(), *map(Path, _SYSTEM)]
    return _confine(
        lambda: landlock.restrict(readable, [folder]),
        seccomp.restrict_decoder,
        lambda: seatbelt.enter(seatbelt.decoder_profile(_installation(), [folder])),
    )


def confine_model(folder: Path, *others: Path) -> list[str]:
    """From now on no network, and no file written but below these folders, and devices.

    On Linux also its own threads' names, which are files: CUDA's driver does not start without.

    Temporary files, those of libraries that compile kernels included, go into `folder`.
    """
    temporary = folder / "tmp"
    temporary.mkdir(mode=0o700, exist_ok=True)
    os.environ["TMPDIR"] = str(temporary)
    folders = [folder, *others, Path("/dev")]
    refuse_network()
    return _confine(
        lambda: landlock.restrict(None, [*folders, Path("/proc/self/task")]),
        seccomp.restrict_network,
        lambda: seatbelt.enter(seatbelt.model_profile(folders)),
    )


def available() -> list[str]:
    """What this system can confine a stage with."""
    names = {
        "Landlock": landlock.version() > 0,
        "seccomp": seccomp.is_available(),
        "macOS sandbox": seatbelt.is_available(),
    }
    return [name for name, there in names.items() if there]


def _confine(files: _Act, calls: _Act, profile: _Act) -> list[str]:
    acts = {"Landlock": files, "seccomp": calls, "macOS sandbox": profile}
    holds = []
    if (outside := _threads() - 1) > 0:  # a library's, where it was to start none
        sys.stderr.write(f"sandbox: it does not hold {outside} threads that run already\n")
    for name in available():
        try:
            acts[name]()
        except OSError as error:  # a container, an older kernel: less is held, and it is said
            sys.stderr.write(f"sandbox: {name} is refused: {error}\n")
        else:
            holds.append(name)
    return holds


def _threads() -> int:
    """How many this process has; 1 where that does not matter: macOS confines all of them."""
    try:
        return len(os.listdir("/proc/self/task"))  # noqa: PTH208
    except OSError:
        return 1


def _limit(kind: int, value: int) -> None:
    """Lower a resource limit; one that is lower already stays."""
    _, hard = resource.getrlimit(kind)
    if hard != resource.RLIM_INFINITY:
        value = min(value, hard)
    try:
        resource.setrlimit(kind, (value, value))
    except (ValueError, OSError) as error:  # macOS knows some by name only
        sys.stderr.write(f"sandbox: resource limit {kind} is refused: {error}\n")


def _installation() -> list[Path]:
    """The folders of this Python, its packages and our own.

    Packages are also where .pth files say; of a checkout that such a file names, our own alone.
    """
    ours = Path(daemon.__file__).parent
    paths = {*sysconfig.get_paths().values(), sys.prefix, sys.base_prefix, *sys.path}
    paths -= {"", str(ours.parent)}
    return [*map(Path, sorted(paths)), ours]


def refuse_network() -> None:
    """A Python library that opens a connection is told so plainly, on any system."""
    sys.addaudithook(_refuse)


def _refuse(event: str, arguments: tuple[object, ...]) -> None:
    if event == "socket.getaddrinfo" or (
        event in {"socket.connect", "socket.sendto"} and isinstance(arguments[1], tuple)
    ):
        raise PermissionError(errno.EACCES, "a stage does not use the network")


# Descriptors


def guard_stdout() -> int:
    """Move the protocol to a private descriptor; whatever prints to stdout now reaches stderr."""
    protocol = os.dup(1)
    os.dup2(2, 1)
    os.set_inheritable(protocol, False)
    return protocol


def log_into(path: Path) -> None:
    """Send this process's chatter, C libraries included, to the job's log."""
    sys.stdout.flush()
    sys.stderr.flush()
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
    os.dup2(fd, 1)
    os.dup2(fd, 2)
    os.close(fd)


def write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


# Usage


def cpu_seconds() -> float:
    """Its own and its children's CPU time."""
    own = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def peak_rss_bytes() -> int:
    """The most memory that this process held: of its own program, not of whoever started it.

    Linux's ru_maxrss begins with the parent's, so VmHWM of /proc is read there.
    """
    if _STATUS is None:
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024  # others count in KiB
    found = re.search(rb"^VmHWM:\s*(\d+) kB", os.pread(_STATUS, 1 << 14, 0), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def _open_status() -> int | None:
    """Opened before the sandbox's door is shut."""
    try:
        return os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None


_STATUS = _open_status()
