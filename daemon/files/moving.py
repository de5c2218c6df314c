"""Moving a recording: claimed, so that nobody can swap it, and never over another file.

A claim is a hidden folder that holds the recording under its own name. The rename into it decides,
at one instant, which file is meant: what somebody puts in its place afterwards is another
recording, which stays. A claim that a killed process left behind is put back by `restore_claims`,
unless its copy has a name on another volume: then only the claimed file's removal is left to do.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import hashlib
import json
import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import astuple
from functools import lru_cache
from pathlib import Path

from daemon.domain.job import Identity
from daemon.domain.names import numbered, plain_name
from daemon.files.atomic import (
    Check,
    copy_in_pieces,
    hidden_file,
    hidden_path,
    never,
    remove_hidden,
    sync,
    sync_folder,
)
from daemon.files.recording import is_same_file, open_recording, read_small
from daemon.files.renaming import UNSPEAKABLE, rename_without_clobbering
from daemon.files.state_folder import TEMP_PREFIX

_CLAIM_SUFFIX = ".claim"
_NOTE = f"{TEMP_PREFIX}copy.json"  # in a claim: which file on another volume is its copy
_MOST_NOTE = 16_384  # bytes
_REPLACED = "it was replaced, or is still being written"
_COPYFILE_METADATA = 7  # copyfile.h: access lists, permissions and extended attributes


class ReplacedError(OSError):
    """Another file has taken the place of the one that was meant, or it is still written to."""


@contextmanager
def claimed(source: Path, folder: Path) -> Iterator[Path]:
    """Take `source` out of everybody's reach, into a claim in `folder`, on the same volume.

    What is not moved from the yielded path goes back. Raises OSError, with nothing changed, if
    `folder` cannot take it or `source` may not be renamed.
    """
    claim = folder / f"{_claim_prefix(source.parent)}{secrets.token_hex(8)}{_CLAIM_SUFFIX}"
    claim.mkdir(mode=0o700)
    held = claim / source.name
    try:
        try:
            rename_without_clobbering(source, held)
        except OSError as error:
            if error.errno not in UNSPEAKABLE:
                raise
            held = claim / plain_name(source.name)
            rename_without_clobbering(source, held)
        yield held
    finally:
        if os.path.lexists(held):
            _put_back(held, source.parent, source.name)
        with contextlib.suppress(OSError):  # what stays of it goes at the next start
            _remove_claim(claim)


def _remove_claim(claim: Path) -> None:
    """Raises OSError if more is in it than a note."""
    try:
        claim.rmdir()
    except OSError:
        (claim / _NOTE).unlink(missing_ok=True)
        claim.rmdir()


def note_copy(held: Path, copy: Path, folder: Path) -> None:
    """Before the copy of the claimed file `held` gets its name in `folder`: which file it is.

    Who is killed before `held` is removed leaves two of it; `restore_claims` knows it by this note.
    Where a full volume has no room for that, the recording leaves it all the same.
    """
    note = {"folder": str(folder), "identity": astuple(Identity.of(copy.lstat()))}
    with contextlib.suppress(OSError):
        (held.parent / _NOTE).write_text(json.dumps(note), encoding="ascii")


@contextmanager
def unnamed_unless_done(copy: Path, target: Path, original: Path) -> Iterator[None]:
    """What removes the original of a copy that was renamed to `target`; if it fails, so does that.

    The copy is hidden again, to be removed: else there would be two of one recording. Not if the
    original is gone: over a network, what is told to have failed may have worked all the same.
    """
    meant = Identity.of(target.lstat())
    try:
        yield
    except OSError:
        if not os.path.lexists(original):
            return
        with contextlib.suppress(OSError):
            if is_same_file(Identity.of(target.lstat()), meant):
                rename_without_clobbering(target, copy)
        raise


def restore_claims(folder: Path, inbox: Path) -> int:
    """Put back into `inbox` what a killed process had claimed; return how many claims it left."""
    claims = list(folder.glob(f"{_claim_prefix(inbox)}*{_CLAIM_SUFFIX}"))
    for claim in claims:
        has_copy = _has_named_copy(claim)
        for held in claim.iterdir():
            if held.name == _NOTE:
                continue
            if has_copy:
                held.unlink()
            else:
                _put_back(held, inbox, held.name)
        _remove_claim(claim)
    return len(claims)


def _has_named_copy(claim: Path) -> bool:
    """Whether the whole copy of what is claimed has got its name: the very file of the note."""
    try:
        note = json.loads(read_small(claim / _NOTE, _MOST_NOTE))
        copy = Identity(*note["identity"])
        with os.scandir(note["folder"]) as entries:
            return any(
                is_same_file(Identity.of(entry.stat(follow_symlinks=False)), copy)
                for entry in entries
                if not entry.name.startswith(TEMP_PREFIX)
            )
    except (OSError, ValueError, KeyError, TypeError):  # it was killed before, or the note is none
        return False


@lru_cache(maxsize=64)
def _claim_prefix(inbox: Path) -> str:
    """Other daemons, with other inboxes, may use the same folder. Asked for each recording."""
    return f"{TEMP_PREFIX}{hashlib.sha256(os.fsencode(inbox.resolve())).hexdigest()[:12]}-"


def _put_back(held: Path, inbox: Path, name: str) -> None:
    rename_numbered(held, inbox, name)


def rename_numbered(source: Path, folder: Path, name: str) -> Path:
    """Into `folder` of the same volume as NAME.EXT or `NAME (2).EXT`, …; return the new path."""
    stem, suffix = os.path.splitext(name)  # noqa: PTH122 - a name, not a path
    for candidate in numbered(stem, suffix, lambda taken: os.path.lexists(f"{folder}/{taken}")):
        target = folder / candidate
        try:
            rename_without_clobbering(source, target)
        except FileExistsError:
            continue
        except OSError:  # over a network, it may have worked all the same
            if os.path.lexists(source) or not os.path.lexists(target):
                raise
        return target
    raise AssertionError("counting does not end")


def copy_whole(source: Path, identity: Identity | None, folder: Path, check: Check = never) -> Path:
    """A whole, synced copy of a regular file, hidden in `folder`; return its path.

    Raises ReplacedError if it is not, or does not stay, the file of that identity (None: any), and
    what `check` raises, which is called between two pieces of it; nothing is left then.
    """
    with open_recording(source) as original, hidden_file(folder) as (path, copy):
        before = Identity.of(os.fstat(original.fileno()))
        if identity is not None and not is_same_file(before, identity):
            raise ReplacedError(errno.EBUSY, _REPLACED, str(source))
        copy_in_pieces(original, copy, before.size, check)
        _copy_attributes(original.fileno(), copy)
        sync(copy)
        if not is_same_file(before, Identity.of(os.fstat(original.fileno()))):
            raise ReplacedError(errno.EBUSY, _REPLACED, str(source))
        if os.fstat(copy).st_size != before.size:
            raise OSError(errno.EIO, "the copy is not whole", str(source))
    return Path(path)


def doomed(held: Path, folder: Path) -> Path:
    """Hide a file that is to be removed in `folder`, which the next start sweeps; return its path.

    To remove what is large takes some volumes many seconds; this is done at once.
    """
    hidden = Path(hidden_path(folder))
    rename_without_clobbering(held, hidden)
    return hidden


@contextmanager
def removed_unless_renamed(copy: Path) -> Iterator[Path]:
    """The hidden copy, whatever becomes of it until the end of the block."""
    try:
        yield copy
    finally:
        remove_hidden(copy)


def _copy_attributes(source: int, target: int) -> None:
    """Permissions, dates, and what the Finder keeps beside a file: tags, comments, its creation."""
    found = os.fstat(source)
    with contextlib.suppress(PermissionError, NotImplementedError):
        os.fchmod(target, stat.S_IMODE(found.st_mode))
    if sys.platform == "darwin":
        ctypes.CDLL(None).fcopyfile(source, target, None, _COPYFILE_METADATA)
        # A file cannot be older than its content on macOS: setting that date sets this one, too.
        os.utime(target, ns=(found.st_atime_ns, int(found.st_birthtime * 1e9)))
    else:
        _copy_extended(source, target)
    os.utime(target, ns=(found.st_atime_ns, found.st_mtime_ns))


def _copy_extended(source: int, target: int) -> None:
    """Linux's extended attributes of users, as far as the other volume has any."""
    with contextlib.suppress(OSError):
        for name in os.listxattr(source):
            with contextlib.suppress(OSError):
                os.setxattr(target, name, os.getxattr(source, name))


def move_without_clobbering(source: Path, target: Path) -> None:
    """Move `source` to a name that is free; what is no regular file only within its volume.

    Raises FileExistsError where `target` exists; OSError (EXDEV) for what cannot be copied.
    """
    try:
        rename_without_clobbering(source, target)
    except OSError as error:
        if error.errno != errno.EXDEV or not stat.S_ISREG(source.lstat().st_mode):
            raise
        with removed_unless_renamed(copy_whole(source, None, target.parent)) as copy:
            rename_without_clobbering(copy, target)
            with unnamed_unless_done(copy, target, source):
                source.unlink()
    sync_folder(target.parent)
    sync_folder(source.parent)
