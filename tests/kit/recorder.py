"""A program that records: `recorder.py FILE CODEC SECONDS` writes a hum in real time, with pauses.

It stands still a few times, as a recorder does whose disk or network hesitates.
"""

from __future__ import annotations

import sys
import time
from fractions import Fraction

import av
import numpy as np

_RATE = 48_000
_STEP = 4800  # samples written at a time
_PAUSES = 3


def main(path: str, codec: str, seconds: float) -> None:
    """Record for so long."""
    begun = time.monotonic()
    total = round(seconds * _RATE)
    pauses = {
        _STEP * round(total / _STEP * share / (_PAUSES + 1)) for share in range(1, _PAUSES + 1)
    }
    with av.open(path, "w", options={"flush_packets": "1"}) as file:
        stream = file.add_stream(codec, rate=_RATE, layout="mono")
        resampler = av.AudioResampler(stream.codec_context.format, "mono", _RATE)
        for at in range(0, total, _STEP):
            tone = np.sin(np.arange(at, min(at + _STEP, total)) * 0.03).astype(np.float32)
            frame = av.AudioFrame.from_ndarray(0.2 * tone[None], "flt", "mono")
            frame.sample_rate, frame.pts, frame.time_base = _RATE, at, Fraction(1, _RATE)
            for resampled in resampler.resample(frame):
                file.mux(stream.encode(resampled))
            if at in pauses:
                begun += 1.5
            time.sleep(max(begun + at / _RATE - time.monotonic(), 0.0))
        file.mux(stream.encode(None))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
