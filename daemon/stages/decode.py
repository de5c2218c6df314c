"""Decoding: any container that PyAV reads, to one 16 kHz voice track, from one open descriptor.

Read in this order: joined.py finds the recordings in the file; container.py opens one; tracks.py
decodes each audio track and puts every sample at its time, with clock.py; channels.py makes one
channel of them all, lanes.py writes it.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path

from daemon.handoff.artefacts import Lane, TrackState
from daemon.stages import elementary, joined, lanes
from daemon.stages.avi_index import AviIndex
from daemon.stages.container import Opened, UnreadableError, is_protected, opened
from daemon.stages.ending import ends_within
from daemon.stages.lanes import Mix
from daemon.stages.metadata import Metadata, metadata_of
from daemon.stages.section import Section
from daemon.stages.selection import MeasuredTrack, TrackChoice, select
from daemon.stages.track_names import track_names
from daemon.stages.tracks import HIGHEST_RATE, LOWEST_RATE, Hole, Track, TrackWriter

__all__ = ["Decoded", "UnreadableError", "decode"]

_SCRATCH = "tracks.partial"  # the folder of what is decoded and not mixed yet
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
    first, *others = joined.recordings(file)
    try:
        with opened(first) as recording:
            tracks = _new_tracks(recording, scratch, on_bytes)
            unread = _decode_tracks(recording, others, tracks, _Paced(max_seconds, progress))
            end = max(track.end for track in tracks)
            measured = select(tracks, choice, lambda seconds: progress(seconds, end))
            heard = [one for one in measured if not one.left_out]
            mixes = _mixes(recording, heard, choice, channels_apart)
            written = lanes.write(target, mixes, progress, on_bytes)
            lacking = any(one.track.lacking for one in heard)
            cut_off = () if lacking else _within([first, *others][-1])
            return Decoded(
                seconds=max(lane.seconds for lane in written),
                container=recording.name,
                codec=heard[0].track.stream.codec_context.name,
                metadata=metadata_of(recording.container, heard[0].track.stream, recording.start),
                warnings=(*unread, *_warnings(measured), *cut_off),
                is_cut_off=bool(unread or lacking or cut_off),
                lanes=written if len(written) > 1 else (),
                tracks=_states(measured),
            )
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _new_tracks(
    recording: Opened, scratch: Path, on_bytes: Callable[[int], None]
) -> Sequence[Track]:
    largest = elementary.FORMATS.get(recording.name)
    return [
        Track(
            stream=stream,
            writer=TrackWriter(scratch, str(stream.index), on_bytes),
            start=recording.start,
            lost=elementary.LostTime(recording.file, largest) if largest else None,
            index=AviIndex(stream) if recording.name == "avi" else None,
            unbroken=recording.name in _UNBROKEN and len(recording.container.streams) == 1,
        )
        for stream in recording.streams
    ]


@dataclass(frozen=True, slots=True)
class _Paced:
    """Tells how far decoding is, and stops it where a recording is too long."""

    max_seconds: float
    progress: OnProgress

    def at(self, seconds: float, expected: float) -> None:
        self.progress(seconds, max(expected, seconds))
        if seconds > self.max_seconds:
            raise UnreadableError(
                f"it is longer than limits.max_audio_hours ({self.max_seconds / 3600:g} h)",
                is_final=True,
            )


def _decode_tracks(
    recording: Opened, others: Sequence[Section], tracks: Sequence[Track], paced: _Paced
) -> tuple[str, ...]:
    """Decode all tracks, and what of them follows in `others`; at least one has samples then.

    Returns a warning for each of the others that cannot be opened.
    """
    unread: list[str] = []
    try:
        _read(recording, tracks, 0.0, paced)
        for section in others:
            at = max(track.end for track in tracks)
            if not _follow(section, tracks, at, paced):
                unread.append(f"another recording follows at {_clock(at)} that cannot be read")
    finally:
        for track in tracks:
            track.writer.close()
    if not any(track.writer.end for track in tracks):
        raise _nothing_in(recording, tracks)
    return tuple(unread)


def _follow(section: Section, tracks: Sequence[Track], at: float, paced: _Paced) -> bool:
    """Decode a recording that follows in the file; False if it cannot be opened."""
    with ExitStack() as stack:
        try:
            recording = stack.enter_context(opened(section))
        except UnreadableError:
            return False
        for track in tracks:
            track.go_on(recording.start, at)
        _read(recording, tracks, at, paced)
        return True


def _read(recording: Opened, tracks: Sequence[Track], at: float, paced: _Paced) -> None:
    """Give each packet to its track, by the index of its stream; the recording starts at `at`."""
    pairs = list(zip(recording.streams, tracks, strict=False))
    by_index = {stream.index: track for stream, track in pairs}
    for packet in recording.packets():
        if packet is None:
            for track in tracks:
                track.disturb()
        elif packet.stream_index in by_index:  # else it is the end of another stream
            track = by_index[packet.stream_index]
            track.take(packet)
            paced.at(track.end, at + recording.seconds)
    for stream, track in pairs:
        end = recording.declared_end(stream)
        track.finish(None if end is None else at + end)


def _nothing_in(recording: Opened, tracks: Iterable[Track]) -> UnreadableError:
    """Why none of the tracks has samples."""
    if is_protected(recording.file):
        return UnreadableError(_PROTECTED, is_final=True)
    if odd := next((track.odd_rate for track in tracks if track.odd_rate), None):
        rates = f"{LOWEST_RATE / 1000:g} to {HIGHEST_RATE / 1000:g} kHz"
        return UnreadableError(f"its sample rate is {odd} Hz: recordings have {rates}", True)
    return UnreadableError("nothing in it could be decoded: it is empty or damaged")


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


def _within(last: Section) -> tuple[str, ...]:
    part = ends_within(last)
    return (f"the file ends in the middle of {part}: it may have been cut off",) if part else ()


def _states(tracks: Sequence[MeasuredTrack]) -> tuple[TrackState, ...]:
    several = len(tracks) > 1
    return tuple(TrackState(track.name, track.left_out) for track in tracks) if several else ()


def _warnings(tracks: Sequence[MeasuredTrack]) -> tuple[str, ...]:
    """What a person should know is missing from the transcript."""
    warnings = []
    for one in tracks:
        if one.left_out:
            if one.audible:
                warnings.append(f"{one.name} was not transcribed: {one.left_out}")
            continue
        prefix = f"{one.name}: " if len(tracks) > 1 else ""
        if lacking := one.track.lacking:
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
