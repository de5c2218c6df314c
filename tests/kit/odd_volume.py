"""A pretend volume below a folder, for this process's own calls, where none can be mounted.

A specification is `FOLDER:TRAIT[,TRAIT…]`:
    no-links        neither hard links nor renames that refuse to replace (exFAT, network drives)
    no-colon[=E]    names with one of : * ? " < > | are refused with EINVAL (exFAT, SMB) or with E
    max-name=N      names of more than N bytes are refused with ENAMETOOLONG (eCryptfs: 143)
    other-volume    a rename from outside, or to outside, fails with EXDEV
    slow-copy=S     each megabyte that is copied takes S seconds
    copy-gate=FILE  a megabyte is copied as soon as FILE is there
    hangs-after=S   a copy without a step for S seconds counts as standing still (hanging.py)
    large=N         files of N bytes and more count as large (publisher.py)
    kill=N          SIGKILL at the N-th rename to a name that can be seen
"""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.files import renaming
from daemon.outbox import publisher
from daemon.supervisor import hanging

_SPECIAL = frozenset(':*?"<>|')


class _Volume:
    def __init__(self, specification: str) -> None:
        folder, _, traits = specification.rpartition(":")
        self._folder = folder.rstrip("/") + "/"
        pairs = (trait.partition("=") for trait in traits.split(","))
        self.traits = {name: value for name, _, value in pairs}
        self._renames = 0

    def holds(self, path: object) -> bool:
        return isinstance(path, str | os.PathLike) and os.fspath(path).startswith(self._folder)

    def check_name(self, path: object) -> None:
        if not self.holds(path):
            return
        name = Path(os.fspath(path)).name  # type: ignore[call-overload]
        if "no-colon" in self.traits and _SPECIAL & set(name):
            number = getattr(errno, self.traits["no-colon"] or "EINVAL")
            raise OSError(number, os.strerror(number), str(path))
        if len(os.fsencode(name)) > int(self.traits.get("max-name", 255)):
            raise OSError(errno.ENAMETOOLONG, os.strerror(errno.ENAMETOOLONG), str(path))

    def check_pair(self, source: object, target: object) -> None:
        if "other-volume" in self.traits and self.holds(source) != self.holds(target):
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV), str(source), None, str(target))
        self.check_name(target)

    def strike(self, target: object) -> None:
        if self.holds(target) and not Path(os.fspath(target)).name.startswith("."):  # type: ignore[call-overload]
            self._renames += 1
            if self._renames == int(self.traits.get("kill", 0)):
                os.kill(os.getpid(), signal.SIGKILL)


def install(specification: str) -> None:
    """From now on, the folder is such a volume to this process."""
    volume = _Volume(specification)
    _wrap_renames(volume)
    _wrap_creation(volume)
    if seconds := float(volume.traits.get("slow-copy", 0)):
        _hold_up_copies(lambda: time.sleep(seconds))
    if large := volume.traits.get("large"):
        publisher._LARGE = int(large)
    if seconds := float(volume.traits.get("hangs-after", 0)):
        hanging.SECONDS = seconds
    if gate := volume.traits.get("copy-gate"):
        _hold_up_copies(lambda: _wait_for(Path(gate)))


def _wrap_renames(volume: _Volume) -> None:
    def wrapped(real: Callable[..., Any], refusal: int | None) -> Callable[..., Any]:
        def call(source: Any, target: Any, **options: Any) -> Any:  # noqa: ANN401
            volume.check_pair(source, target)
            if refusal is not None and "no-links" in volume.traits and volume.holds(target):
                raise OSError(refusal, os.strerror(refusal), str(source), None, str(target))
            if real is not link:
                volume.strike(target)
            return real(source, target, **options)

        return call

    link = os.link
    os.rename = wrapped(os.rename, None)
    os.replace = wrapped(os.replace, None)
    os.link = wrapped(link, errno.EPERM)
    renaming.exclusive_rename = wrapped(renaming.exclusive_rename, errno.EINVAL)


def _wrap_creation(volume: _Volume) -> None:
    real_open, real_mkdir = os.open, os.mkdir

    def open_(path: Any, flags: int, *rest: Any, **options: Any) -> int:  # noqa: ANN401
        if flags & os.O_CREAT:
            volume.check_name(path)
        return real_open(path, flags, *rest, **options)

    def mkdir(path: Any, *rest: Any, **options: Any) -> None:  # noqa: ANN401
        volume.check_name(path)
        real_mkdir(path, *rest, **options)

    os.open, os.mkdir = open_, mkdir


def _wait_for(gate: Path) -> None:
    while not gate.exists():
        time.sleep(0.02)


def _hold_up_copies(hold_up: Callable[[], None]) -> None:
    """`hold_up` is called before each megabyte."""

    def copy(source: Any, target: Any, length: int = 1 << 20) -> None:  # noqa: ANN401
        while data := source.read(min(length, 1 << 20)):
            if len(data) == 1 << 20:
                hold_up()
            target.write(data)

    shutil.copyfileobj = copy
