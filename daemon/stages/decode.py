"""Decoding: any container that PyAV reads, to one 16 kHz voice track, from one open descriptor.

Read in this order: container.py opens the file; tracks.py decodes each audio track and puts every
sample at its time, with clock.py; channels.py makes one channel of them all.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

import numpy as np
from numpy.lib import format as npy

from daemon.audio import SAMPLE_RATE, to_int16
from daemon.stages import channels, elementary
from daemon.stages.container import Opened, UnreadableError, is_protected, opened
from daemon.stages.kept_channels import write_channels
from daemon.stages.metadata import Metadata, metadata_of
from daemon.stages.selection import MeasuredTrack, TrackChoice, select
from daemon.stages.tracks import Hole, Track, TrackWriter

__all__ = ["Decoded", "UnreadableError", "decode"]

_SCRATCH = "tracks.partial"  # the folder of what is decoded and not mixed yet
_CUT_OFF = 0.5  # seconds that a track may end before its declared end
_UNBROKEN = frozenset({"ogg", "flac"})
_PROTECTED = (
    "it is protected against copying (DRM): only the programs of the shop that sold it can open it"
)
_NAMED = 5  # holes that a warning lists

OnProgress = Callable[[float, float], None]


@dataclass(frozen=True, slots=True)
class Decoded:
    """What was decoded besides the samples. `seconds` counts what is really there."""

    seconds: float
    container: str
    codec: str
    metadata: Metadata
    warnings: tuple[str, ...]
    is_cut_off: bool = False  # it is shorter than its own header says
    channels: tuple[str, ...] = ()  # names of the columns of `channels_target`, if it was asked for


def decode(
    file: BufferedReader,
    target: Path,
    max_seconds: float,
    progress: OnProgress,
    on_bytes: Callable[[int], None] = lambda _: None,
    choice: TrackChoice = "mix",
    channels_target: Path | None = None,
) -> Decoded:
    """Decode what is heard in `file` to `target`, an .npy of shape (samples,), int16.

    `progress` gets (seconds decoded, seconds declared); `on_bytes` how much was written to disk, as
    it is written. `channels_target`, if given, gets the channels that are heard, each by itself:
    an .npy of shape (samples, channels), int16, as long as `target`.

    Raises UnreadableError for anything that is not a recording, or is longer than `max_seconds`.
    """
    scratch = target.parent / _SCRATCH
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(mode=0o700)
    try:
        with opened(file) as recording:
            tracks = _decode_tracks(recording, scratch, max_seconds, progress, on_bytes)
            end = max(track.end for track in tracks)
            measured = select(tracks, choice, lambda seconds: progress(seconds, end))
            heard = [one for one in measured if not one.left_out]
            seconds = _write(target, heard, progress, on_bytes)
            names: tuple[str, ...] = ()
            if channels_target is not None:
                names = write_channels(channels_target, heard, round(seconds * SAMPLE_RATE))
            return Decoded(
                seconds=seconds,
                container=recording.name,
                codec=heard[0].track.stream.codec_context.name,
                metadata=metadata_of(recording.container, heard[0].track.stream, recording.start),
                warnings=_warnings(recording, measured),
                is_cut_off=any(_lacking(recording, one.track) for one in heard),
                channels=names,
            )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _decode_tracks(
    recording: Opened,
    scratch: Path,
    max_seconds: float,
    progress: OnProgress,
    on_bytes: Callable[[int], None],
) -> list[Track]:
    """Decode all tracks, at least one of which has samples."""
    stampless = recording.name in elementary.FORMATS
    tracks = {
        stream.index: Track(
            stream=stream,
            writer=TrackWriter(scratch, str(stream.index), on_bytes),
            start=recording.start,
            lost=elementary.LostTime(recording.file.fileno()) if stampless else None,
            unbroken=recording.name in _UNBROKEN,
        )
        for stream in recording.streams
    }
    try:
        _read_packets(recording, tracks, max_seconds, progress)
        for track in tracks.values():
            track.finish(recording.declared_end(track.stream))
    finally:
        for track in tracks.values():
            track.writer.close()
    if not any(track.writer.end for track in tracks.values()):
        if is_protected(recording.file):
            raise UnreadableError(_PROTECTED, is_final=True)
        raise UnreadableError("nothing in it could be decoded: it is empty or damaged")
    return list(tracks.values())


def _read_packets(
    recording: Opened, tracks: Mapping[int, Track], max_seconds: float, progress: OnProgress
) -> None:
    """Give each packet to its track, by the index of its stream."""
    for packet in recording.packets():
        if packet is None:
            for track in tracks.values():
                track.disturb()
            continue
        if packet.stream_index not in tracks:  # the end of another stream
            continue
        tracks[packet.stream_index].take(packet)
        seconds = tracks[packet.stream_index].end
        progress(seconds, max(recording.seconds, seconds))
        if seconds > max_seconds:
            raise UnreadableError(
                f"it is longer than limits.max_audio_hours ({max_seconds / 3600:g} h)",
                is_final=True,
            )


def _write(
    target: Path,
    heard: Sequence[MeasuredTrack],
    progress: OnProgress,
    on_bytes: Callable[[int], None],
) -> float:
    """Mix the tracks into `target`; return how many seconds that gave."""
    parts = [part for one in heard for part in one.parts]
    weighted = [(samples, channels.weights(levels)) for samples, levels in parts]
    loud = max(float(levels.loud.max(initial=0.0)) for _, levels in parts)
    steady = all(bool(levels.steady.all()) for _, levels in parts)
    factor = channels.gain(loud, steady, max(levels.peak for _, levels in parts))
    total = round(max(one.track.end for one in heard) * SAMPLE_RATE)
    with target.open("wb") as file:
        header = {"descr": "<i2", "fortran_order": False, "shape": (total,)}
        npy.write_array_header_1_0(file, header)
        for start, block in channels.mixed(weighted, total):
            progress(start / SAMPLE_RATE, total / SAMPLE_RATE)
            samples = to_int16(block * np.float32(factor))
            file.write(samples.tobytes())
            on_bytes(samples.nbytes)
    return total / SAMPLE_RATE


def _warnings(recording: Opened, tracks: Sequence[MeasuredTrack]) -> tuple[str, ...]:
    """What a person should know is missing from the transcript."""
    warnings = []
    for one in tracks:
        if one.left_out:
            if one.audible:
                warnings.append(f"{one.name} was not transcribed: {one.left_out}")
            continue
        prefix = f"{one.name}: " if len(tracks) > 1 else ""
        if lacking := _lacking(recording, one.track):
            end = one.track.end
            warnings.append(
                f"{prefix}the file says it lasts {end + lacking:.1f} s, but only {end:.1f} s could"
                " be decoded: it may have been cut off"
            )
        if one.track.holes:
            silent = "could not be decoded and are silence here"
            warnings.append(
                f"{prefix}parts of the file are damaged: {_listed(one.track.holes, silent)}"
            )
        if one.track.gaps:
            warnings.append(f"{prefix}the file has gaps: {_listed(one.track.gaps, 'hold nothing')}")
    return tuple(warnings)


def _lacking(recording: Opened, track: Track) -> float:
    """Seconds that the file says a track has, and that are not there; 0 for a trifle."""
    lacking = (recording.declared_end(track.stream) or 0.0) - track.end
    return lacking if lacking > _CUT_OFF else 0.0


def _listed(holes: Sequence[Hole], what: str) -> str:
    total = sum(hole.end - hole.start for hole in holes)
    named = ", ".join(f"{_clock(hole.start)} to {_clock(hole.end)}" for hole in holes[:_NAMED])
    more = f" and {len(holes) - _NAMED} more" if len(holes) > _NAMED else ""
    return f"{total:.2f} s {what} ({named}{more})"


def _clock(seconds: float) -> str:
    """As a player shows it, with hundredths: 1:02:03.45."""
    hundredths = round(seconds * 100)
    hours, minutes = divmod(hundredths // 6000, 60)
    rest = f"{minutes:02}:{hundredths % 6000 / 100:05.2f}"
    return f"{hours}:{rest}" if hours else rest.removeprefix("0")
