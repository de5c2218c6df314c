"""Decoding: any container that PyAV reads, to 16 kHz mono float32, from one open descriptor."""

from __future__ import annotations

import errno
import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

import av
import av.container
import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz: what Whisper and wav2vec2 were trained on

# Real containers only: FFmpeg also "opens" playlists, concat scripts and image sequences, which
# name other files and URLs.
CONTAINERS = (
    "aac,ac3,aiff,amr,amrnb,amrwb,asf,au,avi,caf,eac3,flac,flv,live_flv,matroska,webm,mov,mp4,m4a,"
    "3gp,3g2,mj2,mp3,mpeg,mpegts,mpegvideo,ogg,wav,w64,wv"
)
_CHUNK = 1 << 16  # samples written at a time
_DAMAGE_LIMIT = 0.5  # seconds that a whole recording may decode short of its declared duration


class UnreadableError(Exception):
    """The bytes are not a recording that we can decode; the text says why."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was decoded besides the samples. `seconds` counts what is really there."""

    seconds: float
    container: str
    codec: str
    recorded_at: str | None
    warnings: tuple[str, ...]


def digest(file: BufferedReader) -> str:
    """SHA-256 of the whole file, in hexadecimal."""
    file.seek(0)
    return hashlib.file_digest(file, "sha256").hexdigest()


def decode(
    file: BufferedReader, target: Path, max_seconds: float, progress: Callable[[float, float], None]
) -> Decoded:
    """Decode the best audio stream of `file` to `target`, an .npy of shape (samples,), float32.

    `progress` gets (seconds decoded, seconds declared). Raises UnreadableError for anything that
    is not a recording, or that is longer than `max_seconds`.
    """
    file.seek(0)
    with _opened(file) as container:
        stream = container.streams.best("audio")
        if stream is None:
            raise UnreadableError("it has no audio track")
        declared = float(container.duration or 0) / av.time_base
        writer = _NpyWriter(target)
        damaged = False
        with writer:
            for frame, broken in _frames(container, stream.index):
                damaged = damaged or broken
                for samples in frame:
                    writer.append(samples)
                seconds = writer.samples / SAMPLE_RATE
                progress(seconds, max(declared, seconds))
                if seconds > max_seconds:
                    raise UnreadableError(
                        f"it is longer than limits.max_audio_hours ({max_seconds / 3600:g} h)"
                    )
        seconds = writer.samples / SAMPLE_RATE
        if damaged and writer.samples == 0:
            raise UnreadableError("its audio is damaged: nothing could be decoded")
        return Decoded(
            seconds=seconds,
            container=container.format.name,
            codec=stream.codec_context.name,
            recorded_at=_recorded_at(container.metadata),
            warnings=_warnings(seconds, declared, damaged),
        )


@contextmanager
def _opened(file: BufferedReader) -> Iterator[av.container.InputContainer]:
    try:
        container = av.open(
            _Unnamed(file),
            mode="r",
            container_options={"format_whitelist": CONTAINERS},
            io_open=_refuse,
            metadata_errors="replace",
        )
    except (av.FFmpegError, ValueError) as error:
        raise UnreadableError("it is not an audio or video file, or it is cut off") from error
    with container:
        yield container


class _Unnamed:
    """The descriptor without its name, so that the name cannot choose a demuxer."""

    def __init__(self, file: BufferedReader) -> None:
        self.read = file.read
        self.tell = file.tell
        self._seek = file.seek

    def seek(self, offset: int, whence: int = 0) -> int:
        """A damaged file may lead anywhere: FFmpeg learns that there is no such place."""
        try:
            return self._seek(offset, whence)
        except (OSError, OverflowError, ValueError):
            return -errno.EINVAL


def _refuse(url: str, flags: int, options: dict[str, str]) -> None:
    raise PermissionError("a recording must not open other files")


def _frames(
    container: av.container.InputContainer, stream: int
) -> Iterator[tuple[list[NDArray[np.float32]], bool]]:
    """16 kHz mono samples, frame by frame, and whether broken data was met; goes on after it."""
    resampler = av.AudioResampler(format="flt", layout="mono", rate=SAMPLE_RATE)
    packets = container.demux(container.streams[stream])
    while True:
        try:
            packet = next(packets)
            frames = packet.decode()
        except StopIteration:
            break
        except (av.error.InvalidDataError, av.error.UndefinedError):
            yield [], True
            continue
        except av.FFmpegError as error:
            raise UnreadableError(f"decoding stopped: {error.strerror}") from error
        for frame in frames:
            yield _samples(resampler, frame), False
    yield _samples(resampler, None), False


def _samples(resampler: av.AudioResampler, frame: Any) -> list[NDArray[np.float32]]:  # noqa: ANN401
    try:
        planes = [out.to_ndarray().reshape(-1) for out in resampler.resample(frame)]
        return [plane.astype(np.float32, copy=False) for plane in planes]
    except (av.FFmpegError, ValueError) as error:
        raise UnreadableError(f"its audio cannot be resampled: {error}") from error


def _warnings(seconds: float, declared: float, damaged: bool) -> tuple[str, ...]:
    warnings = []
    if declared - seconds > _DAMAGE_LIMIT:
        warnings.append(
            f"the file says it lasts {declared:.1f} s, but only {seconds:.1f} s could be decoded:"
            " it may have been cut off"
        )
    if damaged:
        warnings.append("parts of the file are damaged and were skipped")
    return tuple(warnings)


def _recorded_at(metadata: dict[str, str]) -> str | None:
    return next((metadata[key] for key in ("creation_time", "date") if metadata.get(key)), None)


class _NpyWriter:
    """Appends float32 samples to an .npy file whose length is only known at the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.samples = 0

    def __enter__(self) -> _NpyWriter:
        self._file = self._path.open("wb", buffering=_CHUNK * 4)
        self._write_header()
        return self

    def append(self, samples: NDArray[np.float32]) -> None:
        # A damaged float stream may hold NaN, infinity, or absurd levels.
        clean = np.nan_to_num(samples.astype("<f4", copy=False), nan=0.0, posinf=0.0, neginf=0.0)
        self._file.write(np.clip(clean, -1.0, 1.0).tobytes())
        self.samples += len(samples)

    def __exit__(self, *_: object) -> None:
        self._file.seek(0)
        self._write_header()  # numpy pads the header so that the real length fits in place
        self._file.close()

    def _write_header(self) -> None:
        header = {"descr": "<f4", "fortran_order": False, "shape": (self.samples,)}
        npy.write_array_header_1_0(self._file, header)
