"""Decoded audio as FLAC: `python -m daemon.cluster.flac AUDIO TARGET`. A child: PyAV and numpy.

AUDIO is an .npy of shape (samples,), int16 at 16 kHz; what a decoder makes of TARGET is the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

import av
import numpy as np

from daemon.audio import SAMPLE_RATE

_BLOCK = 1 << 16  # samples


def encode(audio: Path, target: Path) -> None:
    samples = np.load(audio, mmap_mode="r")
    with av.open(str(target), "w", format="flac") as container:
        stream = container.add_stream("flac", rate=SAMPLE_RATE)
        stream.layout = "mono"
        for at in range(0, len(samples), _BLOCK):
            block = np.ascontiguousarray(samples[at : at + _BLOCK])
            frame = av.AudioFrame.from_ndarray(block[None, :], format="s16", layout="mono")
            frame.sample_rate, frame.pts = SAMPLE_RATE, at
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    encode(Path(sys.argv[1]), Path(sys.argv[2]))
