"""A recording that tells the time: at every whole second a beep whose pitch says which second.

Whatever a container, a codec or a damage does to it, `heard` finds when each beep sounds in the
decoded audio, to a few milliseconds.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

_BEEP = 0.1  # seconds
_LOWEST, _STEP = 400.0, 50.0  # Hz
_LEVEL = 0.5
_MOST = 100


def beeps(seconds: float, rate: int = 48_000, first: int = 0) -> Array:
    """Shape (samples,): a beep at 0 s, 1 s, …; that at 0 s says `first`."""
    audio = np.zeros(round(seconds * rate), np.float32)
    time = np.arange(round(_BEEP * rate)) / rate
    for second in range(int(np.ceil(seconds))):
        beep = _LEVEL * np.sin(2 * np.pi * (_LOWEST + _STEP * (first + second)) * time)
        place = audio[second * rate : second * rate + len(beep)]
        place += beep[: len(place)].astype(np.float32)
    return audio


def heard(audio: Array, rate: int = 16_000) -> dict[int, float]:
    """When each beep starts, in seconds; half a beep is none. The same one twice is an error."""
    loud = np.abs(audio) > 0.3 * _LEVEL
    found: dict[int, float] = {}
    at = -rate
    for index in np.flatnonzero(loud):
        if index - at < _BEEP * 1.5 * rate:
            continue
        at = int(index)
        piece = audio[at + rate // 100 : at + round(0.09 * rate)]
        if len(piece) < 0.07 * rate or np.mean(np.abs(piece) > 0.1 * _LEVEL) < 0.7:
            continue
        spectrum = np.abs(np.fft.rfft(piece * np.hanning(len(piece)), 1 << 14))
        pitch = np.argmax(spectrum) * rate / (1 << 14)
        second = round((pitch - _LOWEST) / _STEP)
        if abs(pitch - _LOWEST - _STEP * second) > _STEP / 4 or not 0 <= second < _MOST:
            continue
        assert second not in found, f"beep {second} at {found[second]} and {at / rate}"
        found[second] = at / rate
    return found


@dataclass(frozen=True)
class Sound:
    """An audio track to write. `samples` has shape (samples,) or (channels, samples)."""

    samples: Array
    codec: str = "aac"
    rate: int = 48_000
    layout: str = ""  # as many channels as there are, if not given
    stamp: Callable[[float], float] = lambda seconds: seconds  # presentation time of each packet
    tags: Mapping[str, str] = field(default_factory=dict)
    bit_rate: int = 96_000


def write(
    path: Path,
    *sounds: Sound,
    picture: float = 0.0,
    tags: Mapping[str, str] | None = None,
    chapters: Sequence[tuple[str, float, float]] = (),
    **options: str,
) -> Path:
    """A container with these tracks, and a grey picture of `picture` seconds, if any.

    A chapter is a title, a start and an end in seconds.
    """
    with av.open(path, "w", options=options) as container:
        container.metadata.update(tags or {})
        container.set_chapters(
            [
                {
                    "id": number,
                    "start": round(start * 1000),
                    "end": round(end * 1000),
                    "time_base": Fraction(1, 1000),
                    "metadata": {"title": title},
                }
                for number, (title, start, end) in enumerate(chapters)
            ]
        )
        video = container.add_stream("mpeg4", rate=5) if picture else None
        if video is not None:
            video.width = video.height = 32
            video.pix_fmt = "yuv420p"
        packets = [packet for sound in sounds for packet in _encoded(container, sound)]
        for index in range(round(picture * 5)):
            assert video is not None
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 128, np.uint8), "rgb24")
            frame.pts, frame.time_base = index, Fraction(1, 5)
            packets += video.encode(frame)
        packets += video.encode(None) if video is not None else []
        for packet in sorted(packets, key=lambda packet: packet.dts * packet.time_base):
            container.mux(packet)
    return path


def _encoded(container: av.container.OutputContainer, sound: Sound) -> list[av.Packet]:
    samples = np.atleast_2d(sound.samples)
    names = {1: "mono", 2: "stereo", 3: "2.1", 6: "5.1", 8: "7.1"}
    layout = sound.layout or names[len(samples)]
    stream = container.add_stream(sound.codec, rate=sound.rate, layout=layout)
    stream.bit_rate = sound.bit_rate
    for key, value in sound.tags.items():
        stream.metadata[key] = value
    packets = []
    resampler = av.AudioResampler(format=stream.codec_context.format, layout=layout)
    for at in range(0, samples.shape[1], sound.rate):
        block = np.ascontiguousarray(samples[:, at : at + sound.rate])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout=layout)
        frame.sample_rate, frame.pts, frame.time_base = sound.rate, at, Fraction(1, sound.rate)
        for converted in resampler.resample(frame):
            packets += stream.encode(converted)
    packets += stream.encode(None)
    for packet in packets:
        moved = sound.stamp(float(packet.pts * packet.time_base))
        packet.pts = packet.dts = round(moved / packet.time_base)
    return packets


def damaged(content: bytes, seed: int, places: int, first: int = 2000) -> bytes:
    """`places` bytes at random are other bytes, behind the first ones."""
    random = np.random.default_rng(seed)
    changed = bytearray(content)
    for at in random.integers(min(first, len(content) // 2), len(content), places):
        changed[at] ^= int(random.integers(1, 256))
    return bytes(changed)
