"""One audio track of a recording: decoded frame by frame, every sample at its time, on disk.

A track keeps its channels apart until all of it is known: which of them carry speech, and whether
one is another's mirror image, shows at the end only (see channels.py). Where the number of channels
changes on the way, each number has a file of its own; what a file does not hold is silence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import av
import av.audio.frame
import av.packet
import numpy as np

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.stages.avi_index import AviIndex
from daemon.stages.channels import Samples
from daemon.stages.clock import FrameClock
from daemon.stages.elementary import LostTime

LOWEST_RATE, HIGHEST_RATE = 4_000, 768_000  # samples a second of anything that is sound
MAX_CHANNELS = 64  # more than any recorder has; a damaged header may say anything

_BATCH = SAMPLE_RATE  # samples resampled before they are written
_SHORTEST_GAP = 0.02  # seconds
_LONG_GAP = 1.0  # seconds: shorter ones are left by codecs that do not send silence
_CUT_OFF = 0.5  # seconds that a track may end before its declared end
_LOUDEST = 16.0  # float samples may exceed 1, but beyond +24 dB they are damage

AudioFrame = av.audio.frame.AudioFrame


@dataclass(frozen=True, slots=True)
class Hole:
    """A stretch that could not be decoded, in seconds since the file's start."""

    start: float
    end: float


@dataclass(slots=True)
class Part:
    """What a track holds in one number of channels."""

    path: Path
    channels: int
    file: BinaryIO

    def samples(self) -> Samples:
        """All of it, once the file is closed."""
        return Samples(self.path, self.channels)


class TrackWriter:
    """Resamples a track's frames and writes each to its place."""

    def __init__(self, folder: Path, name: str, on_bytes: Callable[[int], None]) -> None:
        self.parts: dict[int, Part] = {}
        self.end = 0  # samples: how far it has been written
        self._folder = folder
        self._name = name
        self._on_bytes = on_bytes
        self._format: tuple[str, int, int] | None = None  # of the frames that now come
        self.follows = 0.0  # seconds: where a frame has to start to follow the one before it
        self._waiting: list[FloatArray] = []  # resampled, not written yet
        self._at = 0  # samples: where the first of those belongs

    def write(self, start: float, frame: AudioFrame) -> None:
        """Place a frame that starts at `start`, in seconds since the file's start.

        Raises av.FFmpegError or ValueError for a frame that cannot be resampled.
        """
        described = (frame.format.name, frame.layout.nb_channels, frame.sample_rate)
        if described != self._format or abs(start - self.follows) > 0.5 / SAMPLE_RATE:
            self.finish_run()
            self._format = described
            self._resampler = av.AudioResampler(format="flt", rate=SAMPLE_RATE)
            self._at = round(start * SAMPLE_RATE)
        self.follows = start + frame.samples / frame.sample_rate
        frame.pts = None  # its time is known; the resampler must not move it
        try:
            self._resample(frame)
        except (av.FFmpegError, ValueError):
            self._format = None  # what follows gets a new resampler
            raise
        if sum(map(len, self._waiting)) >= _BATCH:
            self._flush()

    def finish_run(self) -> None:
        """Write what the resampler still holds: the next frame does not follow the last one."""
        if self._format is not None:
            self._resample(None)
            self._flush()
            self._format = None

    def close(self) -> None:
        for part in self.parts.values():
            part.file.close()

    def _resample(self, frame: AudioFrame | None) -> None:
        for resampled in self._resampler.resample(frame):
            shape = (resampled.samples, resampled.layout.nb_channels)
            # The frame's own memory: `to_ndarray` takes as long as decoding, and copies it.
            plane = memoryview(resampled.planes[0])
            samples = np.frombuffer(plane, np.float32, shape[0] * shape[1])
            self._waiting.append(samples.reshape(shape))

    def _flush(self) -> None:
        if not self._waiting:
            return
        samples = np.concatenate(self._waiting)
        self._waiting = []
        late = max(self.end - self._at, 0)  # what overlaps with what is there already
        self._at += len(samples)
        if late < len(samples):
            self._store(self._at - len(samples) + late, samples[late:])

    def _store(self, position: int, samples: FloatArray) -> None:
        # A damaged float stream may hold NaN, infinity, or absurd levels.
        clean = np.nan_to_num(samples, nan=0.0, posinf=0.0, neginf=0.0)
        clean = np.clip(clean, -_LOUDEST, _LOUDEST).astype("<f2")
        part = self._part(samples.shape[1])
        part.file.seek(position * Samples.SIZE * part.channels)
        part.file.write(clean.tobytes())
        self.end = position + len(samples)
        self._on_bytes(clean.nbytes)

    def _part(self, channels: int) -> Part:
        if channels not in self.parts:
            path = self._folder / f"{self._name}-{channels}"
            self.parts[channels] = Part(path, channels, path.open("wb"))
        return self.parts[channels]


@dataclass(slots=True)
class Track:
    """Decodes one stream: what cannot be decoded is left out, counted and timed."""

    stream: Any  # av.AudioStream
    writer: TrackWriter
    start: float  # seconds: the stamp at which the file begins
    lost: LostTime | None  # for a stream without time stamps
    index: AviIndex | None  # for a stream whose stamps are counted
    unbroken: bool  # its container cannot leave anything out: a gap in its stamps is damage
    holes: list[Hole] = field(default_factory=list)
    gaps: list[Hole] = field(default_factory=list)  # that the container means to be there
    clock: FrameClock[AudioFrame] = field(default_factory=FrameClock)
    frames: int = 0
    odd_rate: int | None = None  # of frames that were left out: no sound has it
    declared_end: float | None = None  # seconds since the file's start, if its container says
    _frame_seconds: float = 0.0
    _failing: float | None = None  # seconds of audio that the failed packets say they held

    def take(self, packet: av.Packet[Any]) -> None:
        """Decode a packet; an empty one fetches what the decoder still holds."""
        data = b""
        if self.lost is not None and packet.size:
            data = bytes(packet)
            self.lost.arrived(data)
        try:
            frames: list[Any] = packet.decode()
        except (av.FFmpegError, ValueError):
            self._fail(packet, data)
            return
        late = self.index.lost_before(packet) if self.index else 0.0
        for frame in frames:
            self._take_frame(frame, packet.size, late)

    @property
    def end(self) -> float:
        """Seconds since the file's start: where its last sample or its last hole ends."""
        return max([self.writer.follows, *(hole.end for hole in self.holes[-1:])])

    @property
    def lacking(self) -> float:
        """Seconds that the file says it has, and that are not there; 0 for a trifle."""
        lacking = (self.declared_end or 0.0) - self.end
        return lacking if lacking > _CUT_OFF else 0.0

    def go_on(self, start: float, at: float) -> None:
        """Another recording follows in the file: its stamp `start` is at `at` seconds."""
        self.start = start - at
        self.clock = FrameClock(end=at)
        self.writer.follows = at

    def finish(self, declared_end: float | None) -> None:
        """The stream is at its end; so is its last hole, if the container knows where."""
        self.declared_end = declared_end
        if self.lost is not None and self.frames:
            self._lose(self.lost.rest(self._frame_seconds))
        self._place(self.clock.flush())
        if self.lost is None and self._failing is not None:
            end = self.clock.end + self._failing
            self._note_hole(self.clock.end, min(end, declared_end or end))
        self.writer.finish_run()

    def _fail(self, packet: av.Packet[Any], data: bytes) -> None:
        seconds = float((packet.duration or 0) * (packet.time_base or 0))
        self._failing = (self._failing or 0.0) + seconds
        if self.lost is not None:
            self.lost.failed(data)

    def _take_frame(self, frame: AudioFrame, size: int, late: float) -> None:
        if not (frame.samples and 0 < frame.layout.nb_channels <= MAX_CHANNELS):
            return
        if not LOWEST_RATE <= frame.sample_rate <= HIGHEST_RATE:  # hours from a few bytes, if so
            self.odd_rate = frame.sample_rate
            return
        self._frame_seconds = seconds = frame.samples / frame.sample_rate
        if self.lost is not None:
            self._lose(self.lost.decoded(size, seconds))
            stamp = None
        else:
            stamp = frame.time if frame.pts is not None else None
        self.frames += 1
        place = None if stamp is None else stamp + late - self.start
        self._place(self.clock.put(frame, seconds, place))

    def _lose(self, seconds: float) -> None:
        """Leave room for audio that a stream without time stamps has lost."""
        if seconds > 0:
            before = self.clock.end
            self._place(self.clock.skip(seconds))
            self._note_hole(before, self.clock.end)
        self._failing = None

    def _place(self, placed: list[tuple[float, AudioFrame]]) -> None:
        for start, frame in placed:
            if self.lost is None:
                self._look_back(start)
            try:
                self.writer.write(start, frame)
            except (av.FFmpegError, ValueError):
                self._note_hole(start, start + frame.samples / frame.sample_rate)

    def _look_back(self, start: float) -> None:
        """What lies between the last frame and the one that starts at `start`?"""
        before = self.writer.follows
        if self._failing is not None or (self.unbroken and start - before > _SHORTEST_GAP):
            self._note_hole(before, start)
        elif before > 0 and start - before >= _LONG_GAP:
            self.gaps.append(Hole(before, start))

    def disturb(self) -> None:
        """The container itself is damaged here: what is missing next is a hole."""
        self._failing = self._failing or 0.0

    def _note_hole(self, start: float, end: float) -> None:
        self._failing = None
        if end <= start:
            return
        if self.holes and start <= self.holes[-1].end:
            self.holes[-1] = Hole(self.holes[-1].start, max(end, self.holes[-1].end))
        else:
            self.holes.append(Hole(start, end))
