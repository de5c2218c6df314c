"""A Finder tag on a recording that was filed away: done in green, failed in red.

Only where `notify.finder_tags` asks for it, on a Mac. The tag is an extended attribute: an array of
names, each with a line feed and the number of its colour behind it (eclecticlight.co, 2017-12-27).
Whether today's Finder and Spotlight show it at once is not verified.
"""

from __future__ import annotations

import plistlib
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.parsers.expat import ExpatError

DONE = "Transcribed\n2"  # green
FAILED = "Not transcribed\n6"  # red

_NAME = "com.apple.metadata:_kMDItemUserTags"
_SECONDS = 5.0

Run = Callable[[Sequence[str]], bytes]


def run(argv: Sequence[str]) -> bytes:
    """What a command prints; empty if it fails, as xattr(1) does where there is no attribute."""
    try:
        done = subprocess.run(argv, capture_output=True, timeout=_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return b""
    return done.stdout if done.returncode == 0 else b""


def set_tag(path: Path, tag: str, platform: str = sys.platform, run: Run = run) -> None:
    """Add `tag` to a file's own ones, in place of one of ours. Never fails: it is a courtesy.

    The path is an argument of xattr(1), never part of a script.
    """
    if platform != "darwin":
        return
    tags = [tag for tag in _tags(run(["/usr/bin/xattr", "-px", _NAME, _plain(path)])) if tag]
    tags = [tag for tag in tags if tag not in {DONE, FAILED}]
    value = plistlib.dumps([*tags, tag], fmt=plistlib.FMT_BINARY)
    run(["/usr/bin/xattr", "-wx", _NAME, value.hex(), _plain(path)])


def _tags(shown: bytes) -> list[str]:
    """What xattr(1) shows in hexadecimal digits; nothing where it is not understood."""
    try:
        found = plistlib.loads(bytes.fromhex(shown.decode("ascii")))
    except (ValueError, ExpatError):
        return []
    return [str(one) for one in found] if isinstance(found, list) else []


def _plain(path: Path) -> str:
    """Absolute, so that no name can pass for an option."""
    return str(path.absolute())
