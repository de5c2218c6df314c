"""Recordings that the tests make themselves: silence, a film, half a file."""

from __future__ import annotations

import wave
from pathlib import Path

import av
import numpy as np

RATE = 16_000


def silence(path: Path, seconds: float) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(bytes(2 * round(RATE * seconds)))
    return path


def film(path: Path, sound: Path) -> Path:
    """A video file: grey pictures, and the sound of another recording."""
    with av.open(path, "w") as target, av.open(sound) as source:
        pictures = target.add_stream("mpeg4", rate=5)
        pictures.width, pictures.height, pictures.pix_fmt = 64, 64, "yuv420p"
        track = target.add_stream("aac", rate=44_100)
        seconds = float(source.duration or 0) / av.time_base
        for _ in range(int(seconds * 5)):
            grey = np.full((64, 64, 3), 128, np.uint8)
            target.mux(pictures.encode(av.VideoFrame.from_ndarray(grey, "rgb24")))
        for frame in source.decode(audio=0):
            target.mux(track.encode(frame))
        target.mux(track.encode(None))
        target.mux(pictures.encode(None))
    return path


def cut_off(path: Path, whole: Path) -> Path:
    """The first half of a file, as a broken copy leaves it."""
    content = whole.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    return path
