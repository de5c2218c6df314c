"""What lies in the inbox, and which of it is settled. The scan is the truth; events only ring."""

from __future__ import annotations

import contextlib
import math
import os
import re
import stat
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from daemon.config.profile import FOLDER_PROFILE
from daemon.domain.job import Candidate, Identity
from daemon.ledger.inbox_scan import Seen

# Names that other programs use while a file is incomplete, or for their own bookkeeping.
_JUNK = re.compile(
    r"^(\..*"  # hidden: .DS_Store, ._x.wav (AppleDouble), .x.wav.AbC123 (rsync), .x.icloud, ours
    r"|~\$.*|Icon\r|__MACOSX|@eaDir|desktop\.ini|Thumbs\.db"
    r"|Unconfirmed .*)$",
    re.IGNORECASE | re.DOTALL,
)
_JUNK_ENDINGS = (
    *(".part", ".partial", ".crdownload", ".download", ".opdownload", ".filepart", ".aria2"),
    *(".tmp", ".temp", ".swp", ".icloud", "~"),
)
_PARTIAL_SIBLINGS = (".part", ".crdownload", ".download", ".aria2")

_KINDS = {
    stat.S_IFLNK: "a symbolic link: drop the recording itself",
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe, not a recording",
    stat.S_IFSOCK: "a socket, not a recording",
    stat.S_IFBLK: "a device, not a recording",
    stat.S_IFCHR: "a device, not a recording",
}


# What a name says of a file that is left alone, for a person.
_NO_RECORDINGS = {
    "an archive: unpack it first": "zip 7z rar tar gz tgz bz2 xz dmg iso",
    "a picture": "jpg jpeg png gif heic heif tif tiff bmp webp svg psd raw dng",
    "a text or document": "txt md rtf doc docx pages pdf odt csv xls xlsx numbers html json xml",
    "subtitles": "srt vtt ass ssa sub lrc ttml",
}
_REASONS = {f".{end}": reason for reason, ends in _NO_RECORDINGS.items() for end in ends.split()}
# Folders that macOS shows as one file; what lies inside belongs to another program.
_PACKAGES = (
    *(".app", ".band", ".bundle", ".fcpbundle", ".framework", ".imovielibrary", ".key"),
    *(".logicx", ".musiclibrary", ".numbers", ".pages", ".photoslibrary", ".pkg", ".prproj"),
    *(".rtfd", ".theater", ".tvlibrary", ".xcodeproj"),
)
_SEEN = struct.Struct("=Iqqqq")  # mode, and the numbers of an Identity
_GONE = bytes(_SEEN.size)  # it left since it was listed
_PROFILE = ".toml"
_DEEPEST = 12  # folders inside one another
_MOST = 200_000  # names in all folders


@dataclass(frozen=True, slots=True)
class Look:
    """One look into the inbox: names that could be recordings, and names that we passed over.

    Names are relative to the inbox. `reasons` says why each of `ignored` is left alone. `seen` is
    what lstat said of each of `recordings`, packed, since there may be very many. `profiles` says
    what the settings are for that lie beside recordings (config/profile.py).
    """

    inbox: Path
    recordings: tuple[str, ...]
    reasons: Mapping[str, str]
    seen: bytes
    profiles: Mapping[str, str] = field(default_factory=dict)

    @property
    def ignored(self) -> tuple[str, ...]:
        return tuple(self.reasons)

    @property
    def rows(self) -> Iterator[Seen]:
        """What lay there under those names, without another look, as the ledger takes it."""
        inbox = os.fsencode(self.inbox)
        found = zip(self.recordings, _SEEN.iter_unpack(self.seen), strict=True)
        for name, (mode, size, mtime_ns, ctime_ns, inode) in found:
            if mode:
                path = b"%b/%b" % (inbox, os.fsencode(name))
                yield path, size, mtime_ns, ctime_ns, inode, _refusal(mode)

    @property
    def candidates(self) -> Iterator[Candidate]:
        """The same, made one at a time."""
        for path, size, mtime_ns, ctime_ns, inode, refusal in self.rows:
            identity = Identity(size, mtime_ns, ctime_ns, inode)
            yield Candidate(Path(os.fsdecode(path)), identity, refusal)


def look_into(inbox: Path, extensions: Iterable[str], recursive: bool = False) -> Look:
    """Scan `inbox` once, without following links or opening anything.

    With `recursive`, folders inside it are looked into as well. Raises OSError if the inbox
    cannot be listed.
    """
    recordings, reasons, profiles = _named(inbox, extensions, recursive)
    return Look(inbox, tuple(recordings), reasons, b"".join(_seen(inbox, recordings)), profiles)


def left_alone(inbox: Path, extensions: Iterable[str], recursive: bool = False) -> int:
    """How many files and folders are no recordings by their names. Raises OSError."""
    _, reasons, _ = _named(inbox, extensions, recursive)
    return len(reasons)


def _named(
    inbox: Path, extensions: Iterable[str], recursive: bool
) -> tuple[list[str], dict[str, str], dict[str, str]]:
    """A look's recordings, reasons and profiles, by their names alone."""
    wanted = {f".{extension.lower().lstrip('.')}" for extension in extensions}
    recordings: list[str] = []
    reasons: dict[str, str] = {}
    profiles: dict[str, str] = {}
    folders = [""]
    names_seen = 0
    while folders:
        prefix = folders.pop()
        try:
            entries, subfolders = _listed(inbox / prefix)
        except OSError:
            if not prefix:
                raise
            reasons[prefix.rstrip("/")] = "a folder that cannot be read"
            continue
        names_seen += len(entries)
        being_written = _being_written(entries)
        for name in sorted(name for name in entries if not _is_junk(name)):
            path = prefix + name
            if name in subfolders and recursive:
                if reason := _why_not_inside(path, names_seen):
                    reasons[path] = reason
                else:
                    folders.append(f"{path}/")
            elif name.endswith(_PROFILE) and name not in subfolders:
                profiles[path] = _meant(name)
            elif (suffix := os.path.splitext(name)[1].lower()) not in wanted:  # noqa: PTH122
                named = _REASONS.get(suffix, "no audio or video file by its name")
                reasons[path] = "a folder" if name in subfolders else named
            elif name not in being_written:
                recordings.append(path)
    return sorted(recordings), reasons, profiles


def _being_written(names: Iterable[str]) -> set[str]:
    """The names that a file beside them will get when it is whole."""
    partial = (name for name in names if name.endswith(_PARTIAL_SIBLINGS))
    return {os.path.splitext(name)[0] for name in partial}  # noqa: PTH122


def _is_junk(name: str) -> bool:
    return name.lower().endswith(_JUNK_ENDINGS) or _JUNK.match(name) is not None


def _meant(profile: str) -> str:
    """What the settings in a file of that name hold for."""
    if profile == FOLDER_PROFILE:
        return "for every recording in this folder"
    return f"for the recording {profile.removesuffix(_PROFILE)}"


def _listed(folder: Path) -> tuple[set[str], set[str]]:
    """All names in `folder`, and which of them are folders; links are none. Raises OSError."""
    names, subfolders = set(), set()
    with os.scandir(folder) as entries:
        for entry in entries:
            names.add(entry.name)
            with contextlib.suppress(OSError):
                if entry.is_dir(follow_symlinks=False):
                    subfolders.add(entry.name)
    return names, subfolders


def _why_not_inside(folder: str, names_seen: int) -> str:
    """Why a folder is not looked into; empty if it is."""
    if os.path.splitext(folder)[1].lower() in _PACKAGES:  # noqa: PTH122 - a name, not a path
        return "a package that belongs to another program"
    if folder.count("/") >= _DEEPEST:
        return f"a folder inside {_DEEPEST} others"
    return "a folder: there are too many files" if names_seen > _MOST else ""


def candidate(path: Path) -> Candidate | None:
    """What lies at `path`, without following links; None if it left since it was listed."""
    try:
        status = path.lstat()
    except FileNotFoundError:
        return None
    return Candidate(path, Identity.of(status), _refusal(status.st_mode))


def _seen(inbox: Path, names: Iterable[str]) -> Iterator[bytes]:
    for name in names:
        try:
            status = os.lstat(f"{inbox}/{name}")
        except FileNotFoundError:
            yield _GONE
        else:
            found = Identity.of(status)
            yield _SEEN.pack(
                status.st_mode, found.size, found.mtime_ns, found.ctime_ns, found.inode
            )


def _refusal(mode: int) -> str | None:
    kind = stat.S_IFMT(mode)
    return None if kind == stat.S_IFREG else f"this is {_KINDS.get(kind, 'not a regular file')}"


class Settling:
    """Which files have been still for long enough. Pure: time comes in as `now` (monotonic).

    A file's age is never judged by the clock and its timestamps, which may lie in the past or the
    future, but by how long its identity has not changed before our eyes.
    """

    def __init__(
        self,
        settle_seconds: float,
        empty_seconds: float,
        patience: Callable[[Candidate, float], float] = lambda candidate, still: 0.0,
        on_growth: Callable[[Path], None] = lambda path: None,
        is_finished: Callable[[Candidate, float], bool] = lambda candidate, now: False,
    ) -> None:
        self._settle = settle_seconds
        self._empty = max(empty_seconds, settle_seconds)
        self._patience = patience  # seconds of stillness that a file needs for reasons of its own
        self._on_growth = on_growth  # called for a file that changed since the last look
        self._is_finished = is_finished  # whether a file need not stand still first
        self._since: dict[Path, tuple[Identity, float, float]] = {}

    def look(self, candidates: Iterable[Candidate], now: float) -> list[Candidate]:
        """Take in what a scan found; return what is settled. Those are then no longer tracked."""
        since: dict[Path, tuple[Identity, float, float]] = {}
        settled: list[Candidate] = []
        for candidate in candidates:
            identity, first, _ = self._since.get(candidate.path, (None, now, 0.0))
            if identity != candidate.identity:
                first = now
                if identity is not None:
                    self._on_growth(candidate.path)
            patience = self._patience(candidate, now - first)
            is_finished = self._is_finished(candidate, now)
            needed = 0.0 if is_finished else self._needed(candidate.identity)
            due = first + max(needed, patience)
            if now >= due:
                settled.append(candidate)
            else:
                since[candidate.path] = (candidate.identity, first, due)
        self._since = since
        return settled

    def due(self) -> float | None:
        """When the next file can be settled at the earliest; None if none is settling."""
        return min((due for _, _, due in self._since.values()), default=None)

    def __len__(self) -> int:
        """How many files will settle if they stay still: those that wait for somebody else not."""
        return sum(math.isfinite(due) for _, _, due in self._since.values())

    def _needed(self, identity: Identity) -> float:
        # Browsers create the final name empty first; an empty file gets a longer grace.
        return self._empty if identity.size == 0 else self._settle
