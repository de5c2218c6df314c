"""Decoding: any container that PyAV reads, to one 16 kHz voice track, from one open descriptor.

Read in this order: container.py opens the file; tracks.py decodes each audio track and puts every
sample at its time, with clock.py; channels.py makes one channel of them all, lanes.py writes it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from daemon.handoff.artefacts import Lane, TrackState
from daemon.stages import elementary, lanes
from daemon.stages.container import Opened, UnreadableError, is_protected, opened
from daemon.stages.lanes import Mix
from daemon.stages.metadata import Metadata, metadata_of
from daemon.stages.selection import MeasuredTrack, TrackChoice, select
from daemon.stages.track_names import track_names
from daemon.stages.tracks import HIGHEST_RATE, LOWEST_RATE, Hole, Track, TrackWriter

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
    lanes: tuple[Lane, ...] = ()  # if there are several
    tracks: tuple[TrackState, ...] = ()  # if there are several


def decode(
    file: BufferedReader,
    target: Path,
    max_seconds: float,
    progress: OnProgress,
    on_bytes: Callable[[int], None] = lambda _: None,
    choice: TrackChoice = "mix",
    channels_apart: bool = False,
) -> Decoded:
    """Decode what is heard in `file` to `target`, an .npy of shape (samples,), int16.

    `progress` gets (seconds decoded, seconds declared); `on_bytes` how much was written to disk, as
    it is written. With `channels_apart`, or `choice` "all", several channels or tracks lie behind
    one another in it.

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
            mixes = _mixes(recording, heard, choice, channels_apart)
            written = lanes.write(target, mixes, progress, on_bytes)
            return Decoded(
                seconds=max(lane.seconds for lane in written),
                container=recording.name,
                codec=heard[0].track.stream.codec_context.name,
                metadata=metadata_of(recording.container, heard[0].track.stream, recording.start),
                warnings=_warnings(recording, measured),
                is_cut_off=any(_lacking(recording, one.track) for one in heard),
                lanes=written if len(written) > 1 else (),
                tracks=_states(measured),
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
        raise _nothing_in(recording, tracks.values())
    return list(tracks.values())


def _nothing_in(recording: Opened, tracks: Iterable[Track]) -> UnreadableError:
    """Why none of the tracks has samples."""
    if is_protected(recording.file):
        return UnreadableError(_PROTECTED, is_final=True)
    if odd := next((track.odd_rate for track in tracks if track.odd_rate), None):
        rates = f"{LOWEST_RATE / 1000:g} to {HIGHEST_RATE / 1000:g} kHz"
        return UnreadableError(f"its sample rate is {odd} Hz: recordings have {rates}", True)
    return UnreadableError("nothing in it could be decoded: it is empty or damaged")


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


def _mixes(
    recording: Opened, heard: Sequence[MeasuredTrack], choice: TrackChoice, channels_apart: bool
) -> list[Mix]:
    """What is transcribed by itself: everything together, each track, or each channel."""
    if not channels_apart:
        return lanes.by_track(heard) if choice == "all" else [lanes.mixed(heard)]
    names = track_names(recording.file)

    def name_of(one: MeasuredTrack, channel: int) -> str:
        mono = all(levels.loud.size == 1 for _, levels in one.parts)
        return names.get(channel, "") or (one.title if mono else "")

    return lanes.by_channel(heard, name_of)


def _states(tracks: Sequence[MeasuredTrack]) -> tuple[TrackState, ...]:
    several = len(tracks) > 1
    return tuple(TrackState(track.name, track.left_out) for track in tracks) if several else ()


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
