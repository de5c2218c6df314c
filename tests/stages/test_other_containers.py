"""daemon.stages.decode: what broadcasters, tape cameras and recorders of one-bit sound write."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from tests.kit import beeps
from tests.kit.beeps import Sound, write
from tests.kit.decoding import times

_SECONDS = 3
_EXPECTED = {second: second for second in range(_SECONDS)}


def test_latm(tmp_path: Path) -> None:
    path = write(tmp_path / "a.latm", Sound(beeps.beeps(_SECONDS), "aac"))
    assert times(path) == pytest.approx(_EXPECTED, abs=0.03)


def test_a_camera_with_tape(tmp_path: Path) -> None:
    path = tmp_path / "a.dv"
    with av.open(path, "w") as container:
        video = container.add_stream("dvvideo", rate=25)
        video.width, video.height, video.pix_fmt = 720, 576, "yuv420p"
        audio = container.add_stream("pcm_s16le", rate=48_000, layout="stereo")
        sound = (beeps.beeps(_SECONDS) * 32_000).astype("<i2").repeat(2).reshape(1, -1)
        packets = []
        for number in range(25 * _SECONDS):
            picture = av.VideoFrame.from_ndarray(np.full((576, 720, 3), 128, np.uint8), "rgb24")
            picture.pts, picture.time_base = number, Fraction(1, 25)
            packets += video.encode(picture)
            piece = np.ascontiguousarray(sound[:, number * 3840 : (number + 1) * 3840])
            frame = av.AudioFrame.from_ndarray(piece, format="s16", layout="stereo")
            frame.sample_rate, frame.pts = 48_000, number * 1920
            packets += audio.encode(frame)
        for packet in [*packets, *video.encode(None), *audio.encode(None)]:
            container.mux(packet)
    assert times(path) == pytest.approx(_EXPECTED, abs=0.05)


def test_one_bit_sound(tmp_path: Path) -> None:
    """DSF, as recorders by Sony, Tascam and Korg write it: 2.8 million samples a second."""
    rate, block = 64 * 44_100, 4096
    sound = np.repeat(beeps.beeps(_SECONDS, 44_100).astype(np.float64), 64)
    bits = np.diff(np.floor(np.cumsum((sound + 1) / 2)), prepend=0).astype(np.uint8)
    content = np.packbits(bits, bitorder="little").tobytes()
    content += bytes(-len(content) % block)
    form = struct.pack("<IIIIIIQII", 1, 0, 1, 1, rate, 1, len(bits), block, 0)
    chunks = b"fmt " + struct.pack("<Q", 12 + len(form)) + form
    chunks += b"data" + struct.pack("<Q", 12 + len(content)) + content
    header = b"DSD " + struct.pack("<QQQ", 28, 28 + len(chunks), 0)
    path = tmp_path / "a.dsf"
    path.write_bytes(header + chunks)
    assert times(path) == pytest.approx(_EXPECTED, abs=0.03)
