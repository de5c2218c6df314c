"""What must be true after any fault, once the daemon has come to rest.

Each dropped recording has exactly one terminal state: one whole output set, or a place in failed/
with a reason. Its bytes are still there. No temporary file lies in the outbox, nothing is left
running, and nothing waits.
"""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
from collections import Counter
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path

import psutil

from tests.kit.daemon_process import DaemonProcess, working_in
from tests.kit.fake_recording import said

SUFFIXES = ("timing.json", "json", "txt", "srt", "vtt", "tsv", "html")  # the longest ending first
_TERMINAL = ("done", "failed", "gone")


def violations(daemon: DaemonProcess, dropped: Iterable[bytes], lost: int = 0) -> list[str]:
    """What is wrong; [] if all is well.

    `dropped` are the contents that must have come to an end, once for each time they occur.
    `lost`: how many of those were deleted by somebody else, so that no bytes of theirs are left.
    """
    wanted = Counter(_sha256(content) for content in dropped)
    texts = {_sha256(content): _text(content) for content in dropped}
    return [
        *_half_written(daemon, texts),
        *_endings(daemon, wanted),
        *_missing_bytes(daemon, wanted, lost),
        *_leftovers(daemon),
        *_unfinished(daemon),
        *(f"orphan: {process}" for process in orphans(daemon.root)),
    ]


def output_sets(daemon: DaemonProcess) -> dict[str, set[str]]:
    """The suffixes that each stem in the outbox has."""
    sets: dict[str, set[str]] = {}
    for path in daemon.config.paths.outbox.iterdir():
        suffix = next((one for one in SUFFIXES if path.name.endswith(f".{one}")), None)
        if suffix is not None and not path.name.startswith("."):
            sets.setdefault(path.name.removesuffix(f".{suffix}"), set()).add(suffix)
    return sets


def _half_written(daemon: DaemonProcess, texts: dict[str, str]) -> Iterable[str]:
    for stem, suffixes in output_sets(daemon).items():
        if missing := set(SUFFIXES) - suffixes:
            yield f"half an output set: {stem!r} lacks {sorted(missing)}"
            continue
        document = daemon.document(stem)
        sha256 = document["provenance"]["sha256"]
        daemon.timing(stem)
        if sha256 not in texts:
            yield f"{stem!r} was made from bytes that nobody dropped"
        elif document["text"] != texts[sha256]:
            yield f"{stem!r} says {document['text']!r}, not {texts[sha256]!r}: another file's words"


def _endings(daemon: DaemonProcess, wanted: Counter[str]) -> Iterable[str]:
    ended: Counter[str] = Counter()
    for stem, suffixes in output_sets(daemon).items():
        if "json" in suffixes:
            ended[daemon.document(stem)["provenance"]["sha256"]] += 1
    for path in daemon.config.paths.failed.iterdir():
        if path.name.endswith(".error.json"):
            if not json.loads(path.read_bytes())["reason"]:
                yield f"{path.name!r} gives no reason"
        elif path.is_file() and not path.is_symlink():
            ended[_sha256(path.read_bytes())] += 1
    for sha256 in wanted | ended:
        if ended[sha256] != wanted[sha256]:
            yield f"{sha256[:8]} was dropped {wanted[sha256]} × and ended {ended[sha256]} ×"


def _missing_bytes(daemon: DaemonProcess, wanted: Counter[str], lost: int) -> Iterable[str]:
    paths = daemon.config.paths
    kept = Counter(
        _sha256(path.read_bytes())
        for folder in (paths.inbox, paths.done, paths.failed)
        for path in folder.iterdir()
        if path.is_file() and not path.is_symlink()
    )
    gone = sum((wanted - kept).values())
    if gone > lost:
        yield f"{gone} recordings are gone"


def _leftovers(daemon: DaemonProcess) -> Iterable[str]:
    paths = daemon.config.paths
    for folder in (paths.outbox, paths.done, paths.failed, paths.state):
        for path in folder.iterdir():
            if path.name.startswith(".dropscribe-"):
                yield f"temporary file: {path}"
    for path in (paths.state / "jobs").glob("*/*"):
        if path.name.startswith(("audio.npy", ".dropscribe-", "outputs")):
            yield f"large leftover of a finished job: {path}"


def _unfinished(daemon: DaemonProcess) -> Iterable[str]:
    with closing(sqlite3.connect(daemon.config.paths.state / "ledger.db")) as ledger:
        if (verdict := ledger.execute("PRAGMA integrity_check").fetchone()[0]) != "ok":
            yield f"the ledger is damaged: {verdict}"
        for number, source, following in ledger.execute("SELECT id, source, next FROM jobs"):
            if following not in _TERMINAL:
                yield f"job {number} ({os.fsdecode(source)!r}) still waits for {following}"


def orphans(root: Path) -> list[str]:
    """Processes that still work in `root`."""
    found = []
    for process in working_in(root):
        with suppress(psutil.NoSuchProcess):
            found.append(f"{process.pid} {' '.join(process.cmdline())}")
    return found


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _text(content: bytes) -> str:
    """What the fake transcriber hears in a fake recording."""
    return " ".join(said(content))
