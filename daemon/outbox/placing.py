"""The outbox: names that never collide, and output sets that are whole when they can be seen."""

from __future__ import annotations

import contextlib
import errno
import math
import os
import stat
import time
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from contextlib import nullcontext
from pathlib import Path

from daemon.domain.names import free_number, with_number
from daemon.domain.suffixes import SUFFIXES
from daemon.files.atomic import (
    CHUNK,
    BreakOff,
    copy_to_temporary,
    remove_hidden,
    sync_folder,
    write_temporary,
)
from daemon.files.recording import open_recording
from daemon.files.renaming import UNSPEAKABLE, StrPath, rename_without_clobbering
from daemon.files.state_folder import TIMING_SUFFIX

JSON = "json"  # the commit mark: it appears last
RESERVED = {"index"}  # index.html is the list of all recordings
_LONG_ENDINGS = tuple(
    f".{suffix}" for suffix in (TIMING_SUFFIX, *SUFFIXES.values()) if "." in suffix
)
# What opening or reading says of a name where no file of ours is: a link, a folder, a socket.
_SOMEBODY_ELSES = {errno.ELOOP, errno.EISDIR, errno.EINVAL, errno.ENXIO, errno.EACCES}


class TakenError(Exception):
    """A name of this output set belongs to another file."""


class StemIndex:
    """Which output names an outbox holds, so that choosing one costs the same among a million.

    Names are compared as case-insensitive, normalisation-insensitive volumes do (APFS). The folder
    is listed again when somebody else changed it; not more than a twentieth of the time, since
    only the comparison across letter cases is at stake: `publish` never writes over a file. Of half
    a million names, that takes seconds: `refresh` has it done in a thread.
    """

    _SHARE = 20

    def __init__(
        self,
        outbox: Path,
        clock: Callable[[], float] = time.monotonic,
        may_break_off: BreakOff = nullcontext,
    ) -> None:
        self._outbox = outbox
        self._clock = clock
        self._may_break_off = may_break_off  # around the listing
        self._stems: set[int] = set()  # hashes: a hundred thousand names must not cost a hundred MB
        self._changed_at = -1  # the folder's modification time when it was listed, in nanoseconds
        self._not_before = -math.inf
        self._begun = (-1, -math.inf)  # that time when a listing began, and when that was
        self._listing: Future[set[int]] | None = None  # in a thread
        self._meanwhile: set[int] = set()  # what was put there since that began

    @property
    def is_being_listed(self) -> bool:
        return self._listing is not None

    def refresh(self, ask: Callable[[Callable[[], set[int]]], Future[set[int]]]) -> bool:
        """Whether the names are known; where not, `ask` lists them, and it is False until then.

        Raises OSError.
        """
        if self._listing is None:
            if not self._begin():
                return True
            self._meanwhile.clear()
            self._listing = ask(self._listed)
        if not self._listing.done():
            return False
        listing, self._listing = self._listing, None
        self._end(listing.result() | self._meanwhile)
        return True

    def free_stem(self, stem: str, is_reserved: Callable[[str], bool]) -> str:
        """`stem`, or `stem (2)`, …, of which there is no output. Raises OSError."""
        if self._begin():
            with self._may_break_off():
                found = self._listed()
            self._end(found)

        def is_taken(number: int) -> bool:
            folded = folded_name(with_number(stem, number, ""))
            return hash(folded) in self._stems or is_reserved(folded)

        return with_number(stem, free_number(is_taken), "")

    def add(self, stem: str) -> None:
        """We put an output set of that stem there ourselves."""
        known = self._meanwhile if self.is_being_listed else self._stems
        known.add(hash(folded_name(stem)))
        with contextlib.suppress(OSError):
            self._changed_at = self._outbox.stat().st_mtime_ns

    def _begin(self) -> bool:
        """Whether the folder has to be listed, which is taken to begin now."""
        self._begun = self._outbox.stat().st_mtime_ns, self._clock()
        changed_at, now = self._begun
        return changed_at != self._changed_at and now >= self._not_before

    def _listed(self) -> set[int]:
        with os.scandir(self._outbox) as entries:
            return _hashed_stems(entry.name for entry in entries)

    def _end(self, found: set[int]) -> None:
        self._stems, (self._changed_at, begun) = found, self._begun
        now = self._clock()
        self._not_before = now + (now - begun) * self._SHARE


def folded_name(name: str) -> str:
    """Equal for names that a Mac takes for one."""
    return unicodedata.normalize("NFD", name).casefold()


def _hashed_stems(names: Iterable[str]) -> set[int]:
    """Of names in an outbox, folded and without the endings that outputs have."""
    stems: set[int] = set()
    for name in names:  # half a million of them: without a call for each
        folded = name.lower() if name.isascii() else folded_name(name)
        stems.add(hash(folded.rpartition(".")[0]))
        if folded.endswith(_LONG_ENDINGS):
            stems.update(hash(folded.removesuffix(ending)) for ending in _LONG_ENDINGS)
    return stems


def publish(
    outbox: Path,
    stem: str,
    files: Mapping[str, StrPath],
    may_break_off: BreakOff = nullcontext,
) -> list[str]:
    """Put copies of a whole output set into the outbox, the JSON last; return their names.

    `files` tells by suffix where it lies. Repeating it after a crash is harmless: a file that is
    there with our bytes is ours. Raises TakenError if a name belongs to somebody else, and OSError
    with an errno in UNSPEAKABLE if the volume cannot hold one; both leave none of this set behind.
    """
    order = sorted(files, key=lambda suffix: suffix == JSON)
    paths = {suffix: f"{outbox}/{stem}.{suffix}" for suffix in order}
    try:
        for suffix in order:
            if os.path.lexists(paths[suffix]) and _is_ours(paths[suffix], files[suffix]):
                continue
            if suffix == JSON:
                sync_folder(outbox)  # the mark must not survive a power cut that its set did not
            place_copy(files[suffix], outbox, paths[suffix], may_break_off)
    except FileExistsError as error:
        _withdraw(paths, files)
        raise TakenError(str(error.filename2 or error.filename)) from error
    except OSError as error:
        if error.errno in UNSPEAKABLE:
            _withdraw(paths, files)
        raise
    sync_folder(outbox)
    return [f"{stem}.{suffix}" for suffix in order]


def _withdraw(paths: Mapping[str, str], files: Mapping[str, StrPath]) -> None:
    for suffix, path in paths.items():
        with contextlib.suppress(OSError):
            if _is_ours(path, files[suffix]):
                Path(path).unlink()


def place(data: bytes, path: Path) -> None:
    """Make `path` appear, whole, with these bytes. Raises FileExistsError if it is there."""
    _name(write_temporary(path.parent, data), path)


def place_copy(
    source: StrPath, folder: StrPath, path: StrPath, may_break_off: BreakOff = nullcontext
) -> None:
    """As `place`, with the bytes of the file `source`, at a `path` in `folder`."""
    with open(source, "rb", buffering=0) as file:  # noqa: PTH123 - text, for its speed
        size = os.fstat(file.fileno()).st_size
        temporary = copy_to_temporary(folder, file, size, may_break_off)
    _name(temporary, path)


def _name(temporary: str, path: StrPath) -> None:
    try:
        rename_without_clobbering(temporary, path)
    except BaseException:
        remove_hidden(temporary)
        raise


def _is_ours(path: str, source: StrPath) -> bool:
    """Whether a file with the bytes of `source` lies at `path`."""
    try:
        with open_recording(Path(path)) as there, Path(source).open("rb") as file:
            status = os.fstat(there.fileno())
            size = os.fstat(file.fileno()).st_size
            if not stat.S_ISREG(status.st_mode) or status.st_size != size:
                return False
            chunks = iter(lambda: file.read(CHUNK), b"")
            return all(there.read(len(chunk)) == chunk for chunk in chunks)
    except FileNotFoundError:
        return False
    except OSError as error:
        if error.errno in _SOMEBODY_ELSES:
            return False
        raise
