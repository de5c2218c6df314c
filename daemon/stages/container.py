"""Opening a recording: which demuxer, which audio tracks, and how long they claim to be."""

from __future__ import annotations

import errno
import os
import re
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import av
import av.container

from daemon.domain.media import DEMUXERS
from daemon.stages import elementary
from daemon.stages.boxes import boxes
from daemon.stages.foreign import why_unreadable
from daemon.stages.headers import Header, examine
from daemon.stages.section import Section

MAX_TRACKS = 64

_PYAV = int(av.__version__.split(".")[0])

# FFmpeg looks at 5 s of a file by default; a broadcast may begin with a longer picture alone.
_LONG_LOOK = {"analyzeduration": "60000000", "probesize": "200000000"}  # microseconds; bytes
_LOOKED_AT_LONGER = frozenset({"mpegts", "mpeg", "flv", "live_flv", "avi"})
# What PyAV does by itself since version 19, where it cannot be told.
_METADATA_ERRORS: dict[str, Any] = {"metadata_errors": "surrogateescape"} if _PYAV < 19 else {}
_OGG_HEAD = 1 << 20  # bytes of an Ogg file in which its first pages are
# Sample entries of MP4 files: Apple's, the standard's, Audible's; and two objects of WMA files.
_PROTECTED = (
    b"drms\0\0\0\0\0\0\0\1",
    b"enca\0\0\0\0\0\0\0\1",
    b"aavd\0\0\0\0\0\0\0\1",
    bytes.fromhex("fbb3112223bdd211b4b700a0c955fc6e"),
    bytes.fromhex("14e68a29222617 4cb935dae07ee9289c".replace(" ", "")),
)
_HEADER = 1 << 22  # bytes at the beginning and at the end in which such a header is
_FAILURES = 1000  # in a row, without a packet between them: nothing more comes

# The containers that store the length of each track. In the others FFmpeg guesses from the bit
# rate, or knows the longest track only.
_WITH_LENGTHS = frozenset({"mov", "flac", "aiff", "caf", "wv", "w64"})
_DURATION_TAG = re.compile(r"(\d+):(\d\d):(\d\d(?:\.\d+)?)")


class UnreadableError(Exception):
    """The bytes are not a recording that we can decode; the text says why.

    `is_final`: more bytes would not help.
    """

    def __init__(self, message: str, is_final: bool = False) -> None:
        super().__init__(message)
        self.is_final = is_final


@dataclass(frozen=True, slots=True)
class Opened:
    """An open container: its tracks that can be decoded, and what its header says of lengths."""

    container: av.container.InputContainer
    streams: tuple[Any, ...]  # av.AudioStream
    header: Header
    file: Section

    @property
    def name(self) -> str:
        return str(self.container.format.name)

    @property
    def start(self) -> float:
        """The time stamp, in seconds, that players show as 0."""
        start = (self.container.start_time or 0) / av.time_base
        if start > 0 and self.name.startswith("mov") and not self._has_fragments:
            return 0.0  # an edit list says so: it is silent until then
        if start > 0 and self.name == "ogg" and ogg_pages_before(self.file, start, self.streams[0]):
            return 0.0
        return start

    @property
    def _has_fragments(self) -> bool:
        """Their stamps may go on from another file's, as in what was cut out of a live stream."""
        return any(name == b"moof" for _, _, name in boxes(self.file))

    @property
    def seconds(self) -> float:
        """FFmpeg's idea of the length; 0 if it has none. It may be a guess."""
        return max(float(self.container.duration or 0) / av.time_base, 0.0)

    def declared_end(self, stream: Any) -> float | None:  # noqa: ANN401 - PyAV has no types here
        """Where a track ends by the file's own account, in seconds since its start, if it says."""
        family = self.name.split(",")[0]
        if self.header.seconds is not None:
            return self.header.seconds
        if family == "mp3":
            return elementary.mp3_seconds(self.file)
        if family == "matroska" and (tag := _DURATION_TAG.match(_tag(stream, "DURATION"))):
            hours, minutes, seconds = tag.groups()
            return int(hours) * 3600 + int(minutes) * 60 + float(seconds) - self.start
        if family in _WITH_LENGTHS and stream.duration is not None:
            begin = float((stream.start_time or 0) * stream.time_base) - self.start
            return begin + float(stream.duration * stream.time_base)
        if family == "asf" and len(self.container.streams) == 1:
            return self.seconds
        return None

    def packets(self) -> Iterator[Any]:
        """The packets of its audio tracks, and None where the container itself is damaged.

        Goes on after damage for as long as anything comes.
        """
        failures = 0
        packets = self.container.demux(*self.streams)
        while failures < _FAILURES:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.FFmpegError, ValueError):
                failures += 1
                packets = self.container.demux(*self.streams)
                yield None
                continue
            failures = 0
            yield packet


def ogg_pages_before(file: Section, start: float, stream: Any) -> bool:  # noqa: ANN401
    """Whether an Ogg file has audio before `start`, its first time stamp by FFmpeg's account.

    FFmpeg passes over damaged pages: if the first one is, the file seems to start behind it.
    """
    rate = 48_000 if stream.codec_context.name in ("opus", "libopus") else stream.rate
    head = file.peek(0, _OGG_HEAD)
    at = head.find(b"OggS")
    while 0 <= at < len(head) - 14:
        (position,) = struct.unpack("<q", head[at + 6 : at + 14])  # where its audio ends
        if 0 < position <= (start + 0.01) * rate:
            return True
        at = head.find(b"OggS", at + 4)
    return False


@contextmanager
def opened(file: Section) -> Iterator[Opened]:
    """Open `file` as a recording, without its name. Raises UnreadableError."""
    if file.peek(0, 4) == b"RIFX":  # FFmpeg would hear noise
        raise UnreadableError("it is a big-endian WAV file (RIFX): convert it, to WAV or M4A", True)
    header = examine(file)
    container = _open(file, header, {})
    if _needs_a_longer_look(container):
        container.close()
        container = _open(file, header, _LONG_LOOK)
    with container:
        found = (stream for stream in container.streams.audio if stream.codec_context is not None)
        streams = tuple(found)[:MAX_TRACKS]
        if not streams:
            raise UnreadableError(_why_no_track(container))
        yield Opened(container, streams, header, file)


def is_protected(file: Section) -> bool:
    """Whether a shop has encrypted the recording (DRM): its header says so."""
    for start in {0, max(file.size - _HEADER, 0)}:
        head = file.peek(start, _HEADER)
        if any(mark in head for mark in _PROTECTED):
            return True
    return False


def _why_no_track(container: av.container.InputContainer) -> str:
    if container.streams.audio:
        return "there is no decoder for its audio track: convert it, to M4A or WAV for example"
    return "it has no audio track"


def _needs_a_longer_look(container: av.container.InputContainer) -> bool:
    """Whether a track has not shown itself yet, where tracks have no description up front."""
    if container.format.name not in _LOOKED_AT_LONGER:
        return False
    contexts = [stream.codec_context for stream in container.streams.audio]
    return not contexts or any(context is None or not context.sample_rate for context in contexts)


def _open(file: Section, header: Header, options: Mapping[str, str]) -> av.container.InputContainer:
    try:
        container: av.container.InputContainer = av.open(
            _Unnamed(file, header.patches),
            mode="r",
            container_options={"format_whitelist": ",".join(DEMUXERS), **options},
            io_open=_refuse,
            **_METADATA_ERRORS,
        )
        return container
    except (av.FFmpegError, ValueError) as error:
        raise UnreadableError(*why_unreadable(file)) from error


class _Unnamed:
    """The descriptor without its name, so that the name cannot choose a demuxer.

    `patches` are read in place of the file's own bytes: lengths that are known to be wrong.
    """

    def __init__(self, file: Section, patches: Mapping[int, bytes]) -> None:
        file.seek(0)
        self.tell = file.tell
        self._file = file
        self._patches = patches
        self._patched_to = max((at + len(patch) for at, patch in patches.items()), default=0)

    def read(self, size: int = -1) -> bytes:
        at = self._file.tell()
        data = self._file.read(size)
        if at >= self._patched_to:
            return data
        found = bytearray(data)
        for offset, patch in self._patches.items():
            for index, byte in enumerate(patch, offset - at):
                if 0 <= index < len(found):
                    found[index] = byte
        return bytes(found)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """A damaged file may lead anywhere: FFmpeg learns that there is no such place."""
        try:
            return self._file.seek(offset, whence)
        except (OSError, OverflowError, ValueError):
            return -errno.EINVAL


def _refuse(url: str, flags: int, options: dict[str, str]) -> None:
    raise PermissionError("a recording must not open other files")


def _tag(stream: Any, name: str) -> str:  # noqa: ANN401 - PyAV has no types here
    """A track's tag; Matroska adds a language to its names, as in DURATION-eng."""
    tags: dict[str, str] = stream.metadata
    return next((text for key, text in tags.items() if key.split("-")[0] == name), "")
