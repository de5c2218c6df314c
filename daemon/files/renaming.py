"""Renaming that never replaces what is there, on any volume.

Three ways, the first that the volume knows: the system's own (renameat2 with RENAME_NOREPLACE on
Linux, renamex_np with RENAME_EXCL on macOS), a hard link and the old name's removal, and, on
volumes that have neither (some exFAT and network drivers), a hidden reservation that keeps other
dropscribes away while we look and rename.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import os
import sys
from collections.abc import Callable
from pathlib import Path

from daemon.files.state_folder import TEMP_PREFIX

_AT_FDCWD = -100  # Linux: relative to the working folder
_RENAME_NOREPLACE = 1  # linux/fs.h
_RENAME_EXCL = 4  # macOS, sys/stdio.h

UNSUPPORTED = frozenset({errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS})
# What a volume says to a name that it cannot hold: too long, or characters that it lacks.
UNSPEAKABLE = frozenset({errno.ENAMETOOLONG, errno.EILSEQ, errno.EINVAL})
_NO_LINKS = UNSUPPORTED | {errno.EPERM, errno.EMLINK}

# What every delivered file passes through takes text, too: a Path is as dear as a system call.
StrPath = str | os.PathLike[str]


def rename_without_clobbering(source: StrPath, target: StrPath) -> None:
    """Give `source`, a file, folder or link, the name `target` on the same volume.

    Raises FileExistsError where `target` exists, and OSError (EXDEV) across volumes, and with an
    errno in UNSPEAKABLE where the volume cannot hold that name.
    """
    try:
        _rename_without_clobbering(source, target)
    except FileNotFoundError as error:
        raise not_found(error, source, target) from None


def not_found(error: FileNotFoundError, source: StrPath, target: StrPath) -> OSError:
    """What that error of a rename means: some drivers (exfat-fuse) say so of a name, too."""
    if os.path.lexists(source) and Path(target).parent.is_dir():
        return OSError(errno.EINVAL, os.strerror(errno.EINVAL), str(source), None, str(target))
    return error


def _rename_without_clobbering(source: StrPath, target: StrPath) -> None:
    try:
        exclusive_rename(source, target)
    except OSError as error:
        if error.errno not in UNSUPPORTED:
            raise
    else:
        return
    _rename_in_two_steps(Path(source), Path(target))


def _rename_in_two_steps(source: Path, target: Path) -> None:
    if source.is_symlink() or not source.is_dir():
        try:
            os.link(source, target, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
        else:
            _drop_old_name(source, target)
            return
    _rename_reserved(source, target)


def _drop_old_name(source: Path, target: Path) -> None:
    """The second step after a link. If it fails, the file must not be left with two names."""
    try:
        source.unlink()
    except OSError:
        with contextlib.suppress(
            FileNotFoundError
        ):  # over a network it may have worked all the same
            if source.samefile(target):
                target.unlink()
        raise


def exclusive_rename(source: StrPath, target: StrPath) -> None:
    """The system's own. Raises OSError with an errno in UNSUPPORTED where there is none."""
    if _rename is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS), str(source), None, str(target))
    if _rename(os.fsencode(source), os.fsencode(target)) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(source), None, str(target))


def _find_rename() -> Callable[[bytes, bytes], int] | None:
    library = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "darwin":
        renamex_np = library.renamex_np
        renamex_np.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_uint)
        return lambda source, target: int(renamex_np(source, target, _RENAME_EXCL))
    renameat2 = getattr(library, "renameat2", None)  # glibc has it since 2.28
    if renameat2 is None:
        return None
    renameat2.argtypes = (
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_int,
        ctypes.c_char_p,
        ctypes.c_uint,
    )
    return lambda source, target: int(
        renameat2(_AT_FDCWD, source, _AT_FDCWD, target, _RENAME_NOREPLACE)
    )


_rename = _find_rename()


def _rename_reserved(source: Path, target: Path) -> None:
    """Look, then rename: what has no reservation (a person, another program) may still race us."""
    key = hashlib.sha256(os.fsencode(target.name)).hexdigest()[:16]
    reservation = target.with_name(f"{TEMP_PREFIX}{key}.tmp")
    os.close(os.open(reservation, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    try:
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target))
        source.rename(target)
    finally:
        with contextlib.suppress(OSError):  # it says nothing of the rename; it goes at a start
            reservation.unlink(missing_ok=True)
