"""A file that is in iCloud alone, before and after it is asked for."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from daemon.inbox.finder_info import Dataless, readiness
from daemon.inbox.icloud import ICloudDownloads
from daemon.proof.inside import dataless_policy
from daemon.proof.items import CouldNotError, Found

_DOWNLOAD_SECONDS = 120.0


def fetched(path: Path | None, seconds: float = _DOWNLOAD_SECONDS) -> tuple[bool, Found]:
    """Whether a killable reader has the content fetched; the file's flags before and after."""
    if sys.platform != "darwin":
        raise CouldNotError("there are no dataless files but on macOS")
    if path is None:
        raise CouldNotError("name a file that is only in iCloud: --dataless FILE")
    before = path.lstat()
    if not isinstance(readiness(path, before), Dataless):
        raise CouldNotError("its content is here already: choose Remove Download in the Finder")
    downloads = ICloudDownloads()
    begun = time.monotonic()
    try:
        while isinstance(readiness(path, path.lstat()), Dataless):
            if time.monotonic() - begun > seconds:
                break
            downloads.ask(path, time.monotonic())
            time.sleep(0.25)
    finally:
        downloads.close()
    after = path.lstat()
    return not isinstance(readiness(path, after), Dataless), {
        "policy": dataless_policy(),
        "flags_before": hex(getattr(before, "st_flags", 0)),
        "flags_after": hex(getattr(after, "st_flags", 0)),
        "seconds": round(time.monotonic() - begun, 1),
    }
