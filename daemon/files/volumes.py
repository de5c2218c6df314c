"""Which volumes tell us of changes? Not those on a network: others write there unheard."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Protocol

import psutil

# File system types: macOS's (mount(8)), Linux's, and drivers in user space on both (fuse.sshfs).
_NETWORK = {"smbfs", "nfs", "afpfs", "webdav", "ftp", "cifs", "smb3", "nfs4", "9p", "ceph"}
_NETWORK_IN_USER_SPACE = {"sshfs", "rclone", "s3fs", "davfs", "gvfsd-fuse"}


class Mount(Protocol):
    """One mounted volume, as psutil lists them."""

    @property
    def mountpoint(self) -> str: ...

    @property
    def fstype(self) -> str: ...


def mounts() -> Iterable[Mount]:
    """Every volume, network volumes included; reading the list waits for none of them."""
    return psutil.disk_partitions(all=True)


def needs_polling(folder: Path, mounts: Callable[[], Iterable[Mount]] = mounts) -> bool:
    """Whether `folder` lies on a volume whose changes make no file events here."""
    real = Path(os.path.realpath(folder))
    inside = [mount for mount in mounts() if real.is_relative_to(mount.mountpoint)]
    nearest = max(inside, key=lambda mount: len(mount.mountpoint), default=None)
    if nearest is None:
        return False
    kind, _, driver = nearest.fstype.lower().partition(".")
    return kind in _NETWORK or driver in _NETWORK_IN_USER_SPACE
