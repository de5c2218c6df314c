"""PREPARE: one recording → audio.npy, the speech in it, and a proof of which bytes were read.

One process a recording. It may wait for it with its imports done; then it opens the recording and
shuts the sandbox's door, before it reads a byte of it.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import shutil
import stat
from io import BufferedReader
from pathlib import Path
from typing import TYPE_CHECKING

from daemon.domain.job import FailureKind, Identity
from daemon.errors import DropscribeError
from daemon.files.atomic import sha256_of_open
from daemon.files.recording import open_recording
from daemon.handoff import artefacts
from daemon.handoff.artefacts import JobRequest, Prepared
from daemon.handoff.protocol import Request
from daemon.stages import blas, sandbox
from daemon.stages.serve import Channel, Handler, StageError, serve_one

if TYPE_CHECKING:
    from daemon.stages.selection import TrackChoice


def _handler(early: _Early | None = None) -> Handler:
    blas.keep_on_one_core()
    from daemon.stages import decode, speech  # noqa: PLC0415 - heavy, and stdout must be guarded
    from daemon.stages.silero import Silero  # noqa: PLC0415

    silero: Silero | None = None
    with contextlib.suppress(DropscribeError, OSError):  # an answer to a file, not a crash
        silero = Silero()

    def prepare(channel: Channel) -> None:
        folder, nonce = channel.request.folder, channel.request.nonce
        job = JobRequest.read(folder)
        partial = folder / artefacts.PARTIAL_AUDIO
        apart = job.speakers == "channels"
        try:
            with _open(job, early) as file:
                decoded, sha256 = _read(file, job, partial, channel, apart)
                if apart:
                    decoded = _by_channels(file, job, partial, channel, decoded)
            _sync(partial)
            partial.replace(folder / artefacts.AUDIO)
        finally:
            partial.unlink(missing_ok=True)
        prepared = Prepared(
            sha256=sha256,
            bytes=job.identity.size,
            duration=round(decoded.seconds, 3),
            container=decoded.container,
            codec=decoded.codec,
            recorded_at=decoded.metadata.recorded_at,
            title=decoded.metadata.title,
            artist=decoded.metadata.artist,
            album=decoded.metadata.album,
            chapters=decoded.metadata.chapters,
            warnings=decoded.warnings,
            is_cut_off=decoded.is_cut_off,
            speech=speech.find(folder / artefacts.AUDIO, channel.progress, silero),
            lanes=decoded.lanes,
            lanes_are="channels" if apart else "tracks",
            tracks=decoded.tracks,
        )
        artefacts.write_artefact(folder / artefacts.PREPARED, nonce, prepared)

    def _read(
        file: BufferedReader, job: JobRequest, target: Path, channel: Channel, apart: bool
    ) -> tuple[decode.Decoded, str]:
        """Decode and digest the very bytes that were settled."""
        try:
            room = _Room(target.parent, job.min_free_bytes)
            decoded = decode.decode(
                file,
                target,
                job.max_seconds,
                channel.progress,
                on_bytes=room.take,
                choice=_choice(job.tracks),
                channels_apart=apart,
            )
        except decode.UnreadableError as error:
            _still_the_same(file, job)  # it may be unreadable because it is still growing
            kind = FailureKind.BAD_INPUT if error.is_final else FailureKind.INCOMPLETE
            raise StageError(kind, f"cannot be decoded: {error}") from error
        file.seek(0)
        sha256 = sha256_of_open(file)
        _still_the_same(file, job)
        return decoded, sha256

    def _by_channels(
        file: BufferedReader,
        job: JobRequest,
        target: Path,
        channel: Channel,
        decoded: decode.Decoded,
    ) -> decode.Decoded:
        """With a speaker for each channel; where they cannot tell, mixed as usual."""
        from daemon.diarization.channels import SameSoundError  # noqa: PLC0415 - a rare wish
        from daemon.stages import cross_talk  # noqa: PLC0415

        try:
            lanes, found = cross_talk.separate(target, decoded.lanes)
            decoded = dataclasses.replace(decoded, lanes=lanes)
        except SameSoundError as error:
            found = cross_talk.failed(error)
            if decoded.lanes:
                decoded, _ = _read(file, job, target, channel, apart=False)
        nonce = channel.request.nonce
        artefacts.write_artefact(target.with_name(artefacts.SPEAKERS), nonce, found)
        return decoded

    return prepare


def _choice(tracks: str) -> TrackChoice:
    return "first" if tracks == "first" else "all" if tracks == "all" else "mix"


class _Room:
    """Stops a decoding that would fill the disk: a small file can unfold into gigabytes."""

    _STEP = 8_000_000  # bytes written between two looks at the disk

    def __init__(self, folder: Path, min_free: int) -> None:
        self._folder = folder
        self._min_free = min_free
        self._written = 0
        self._looked_at = 0

    def take(self, size: int) -> None:
        """Another `size` bytes were written."""
        self._written += size
        if self._written - self._looked_at < self._STEP:
            return
        self._looked_at = self._written
        free = shutil.disk_usage(self._folder).free
        if free >= self._min_free:
            return
        if free + self._written >= self._min_free:  # without it, there was room
            reason = "decoded, it needs more disk space than is free: free some, then retry it"
            raise StageError(FailureKind.NO_ROOM, reason)
        raise StageError(FailureKind.ENVIRONMENT, "the disk is nearly full: free some space")


class _Early:
    """The recording, opened before the sandbox's door is shut; afterwards nothing else opens."""

    def __init__(self) -> None:
        self._job: JobRequest | None = None
        self._file: BufferedReader | None = None
        self._error: OSError | None = None

    def shut_the_door(self, request: Request) -> None:
        """Open the request's recording; from then on there is only its folder."""
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            self._job = JobRequest.read(request.folder)
        if self._job is not None:
            try:
                self._file = open_recording(self._job.source)
            except OSError as error:
                self._error = error
        sandbox.confine_decoder(request.folder, self._job.max_seconds if self._job else 0.0)

    def open(self, source: Path) -> BufferedReader:
        """What lay at `source` then. Raises OSError as opening it did."""
        if self._error is not None:
            raise self._error
        if self._file is None or self._job is None or self._job.source != source:
            return open_recording(source)
        file, self._file = self._file, None
        return file


def _open(job: JobRequest, early: _Early | None) -> BufferedReader:
    """Open the source; it must be what was settled."""
    try:
        file = early.open(job.source) if early else open_recording(job.source)
    except FileNotFoundError as error:
        raise StageError(FailureKind.VANISHED, "the file is no longer in the inbox") from error
    except PermissionError as error:
        raise _denied(job.source, error) from error
    except OSError as error:
        if error.errno in (errno.ELOOP, errno.EISDIR):
            raise StageError(FailureKind.CHANGED, "the file was replaced") from error
        raise
    try:
        _check(file, job)
    except BaseException:
        file.close()
        raise
    return file


def _check(file: BufferedReader, job: JobRequest) -> None:
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        raise StageError(FailureKind.CHANGED, "the file was replaced while it waited")
    _still_the_same(file, job)
    if job.identity.size == 0:
        raise StageError(FailureKind.BAD_INPUT, "the file is empty")
    _fetch(file)
    if job.identity.size > job.max_bytes:
        limit = f"limits.max_file_mb ({job.max_bytes // 1_000_000} MB)"
        raise StageError(FailureKind.BAD_INPUT, f"the file is larger than {limit}")


def _fetch(file: BufferedReader) -> None:
    """macOS may have moved the content to iCloud since; reading brings it back, or says so."""
    try:
        os.pread(file.fileno(), 1, 0)
    except OSError as error:
        if error.errno in (errno.EDEADLK, errno.ETIMEDOUT):
            raise StageError(FailureKind.CHANGED, "its content went back to iCloud") from error
        raise


def _still_the_same(file: BufferedReader, job: JobRequest) -> None:
    """Neither the open file nor what the name points to may differ from what was settled."""
    try:
        named = Identity.of(os.lstat(job.source))
    except FileNotFoundError as error:
        raise StageError(FailureKind.VANISHED, "the file left while it was read") from error
    if not Identity.of(os.fstat(file.fileno())) == named == job.identity:
        raise StageError(FailureKind.CHANGED, "the file changed while it was read")


def _denied(path: Path, error: PermissionError) -> StageError:
    """macOS privacy denies with EPERM and means the folder; EACCES is this one file's mode."""
    if error.errno == errno.EPERM:
        return StageError(
            FailureKind.ENVIRONMENT,
            f"macOS privacy settings deny access to {path.parent}: grant it in System Settings,"
            " Privacy & Security, or move the inbox",
        )
    return StageError(FailureKind.BAD_INPUT, "we may not read it: give us read permission")


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


if __name__ == "__main__":
    _early = _Early()
    serve_one(lambda: _handler(_early), _early.shut_the_door)
