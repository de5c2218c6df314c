"""Light random damage, codec by codec: how much of a minute is lost, and whether any is refused.

    python scripts/light_damage.py [RECORDING]

Twelve damaged copies for each codec, of eight changed bytes each, through the decoder of PREPARE.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
from pathlib import Path

import av
import numpy as np

from daemon.stages.decode import UnreadableError, decode

_CODECS = (
    ("AAC", "a.m4a", "aac"),
    ("ALAC", "a.m4a", "alac"),
    ("MP3", "a.mp3", "libmp3lame"),
    ("Opus", "a.opus", "libopus"),
    ("FLAC", "a.flac", "flac"),
    ("AC-3", "a.ac3", "ac3"),
    ("WMA", "a.wma", "wmav2"),
    ("Vorbis", "a.ogg", "vorbis"),
)
_COPIES = 12
_BYTES = 8
_SECONDS = 60
_RECORDING = Path(__file__).parents[1] / "tests" / "audio" / "lecture-12min.m4a"


def main(recording: Path) -> None:
    """Print a line for each codec."""
    print(f"{'codec':8}{'refused':>8}{'median lost s':>15}{'most lost s':>13}{'told':>6}")
    with tempfile.TemporaryDirectory() as name:
        for codec, file, encoder in _CODECS:
            content = _encoded(recording, Path(name) / file, encoder)
            print(_line(codec, content, Path(name)), flush=True)


def _encoded(recording: Path, target: Path, encoder: str) -> bytes:
    """The first minute in another codec, at 44.1 kHz."""
    with av.open(recording) as source, av.open(target, "w") as sink:
        rate = 48_000 if encoder == "libopus" else 44_100
        # FFmpeg's own encoder of Vorbis takes two channels, and wants to be asked for.
        layout, options = ("stereo", {"strict": "-2"}) if encoder == "vorbis" else ("mono", {})
        stream = sink.add_stream(encoder, rate=rate, layout=layout, options=options)
        stream.bit_rate = 96_000
        context = stream.codec_context
        resampler = av.AudioResampler(format=context.format, layout=layout, rate=rate)
        for frame in source.decode(audio=0):
            if frame.time is not None and frame.time >= _SECONDS:
                break
            for one in resampler.resample(frame):
                sink.mux(stream.encode(one))
        sink.mux(stream.encode(None))
    return target.read_bytes()


def _line(codec: str, content: bytes, folder: Path) -> str:
    whole, _ = _heard(content, folder)
    lost, refused, told = [], 0, 0
    for seed in range(_COPIES):
        try:
            seconds, warned = _heard(_damaged(content, seed), folder)
        except UnreadableError:
            refused += 1
            continue
        lost.append(max(whole - seconds, 0.0))
        told += warned
    most = max(lost, default=0.0)
    median = statistics.median(lost or [0.0])
    return f"{codec:8}{refused:>8}{median:>15.2f}{most:>13.2f}{told:>6}"


def _heard(content: bytes, folder: Path) -> tuple[float, bool]:
    """Seconds that are not digital silence, and whether there was a warning."""
    path, target = folder / "damaged", folder / "audio.npy"
    path.write_bytes(content)
    with path.open("rb") as file:
        decoded = decode(file, target, 3600.0, lambda *_: None)
    audio = np.load(target)
    frames = audio[: len(audio) // 160 * 160].reshape(-1, 160)
    return float((frames != 0).any(axis=1).sum()) / 100, bool(decoded.warnings)


def _damaged(content: bytes, seed: int) -> bytes:
    random = np.random.default_rng(seed)
    changed = bytearray(content)
    for at in random.integers(2000, len(content), _BYTES):
        changed[at] ^= int(random.integers(1, 256))
    return bytes(changed)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else _RECORDING)
