"""Real recordings, whole and mutilated, made from the samples with Python and PyAV."""

from __future__ import annotations

import io
import struct
import wave
from pathlib import Path

import av
import numpy as np

AUDIO = Path(__file__).parents[1] / "audio"
MEMO = AUDIO / "memo-10s.wav"
MEETING = AUDIO / "meeting-60s.mp3"
GERMAN = AUDIO / "german-20s.flac"
SPANISH = AUDIO / "spanish-20s.ogg"
FRENCH = AUDIO / "french-20s.m4a"

_FRAME = 65_535  # samples: the most that a FLAC frame holds


def wav(seconds: float, rate: int = 16_000, channels: int = 1, level: int = 0) -> bytes:
    """A PCM file of one constant level."""
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(struct.pack("<h", level) * int(seconds * rate) * channels)
    return buffer.getvalue()


def silent_flac(seconds: int) -> bytes:
    """Very little file for very much silence."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="flac") as container:
        stream = container.add_stream("flac", rate=8000, layout="mono")
        block = np.zeros((1, 8000 * 60), dtype=np.int16)
        for _ in range(seconds // 60):
            frame = av.AudioFrame.from_ndarray(block, format="s16", layout="mono")
            frame.sample_rate = 8000
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def slow_flac(rate: int) -> bytes:
    """One frame of 65,535 equal samples at a rate that its 55 bytes may choose freely."""
    about = (rate << 44 | 15 << 36 | _FRAME).to_bytes(8, "big")  # mono, 16 bits
    info = struct.pack(">HH", _FRAME, _FRAME) + bytes(6) + about + bytes(16)
    header = bytes([0xFF, 0xF8, 0x70, 0x08, 0]) + struct.pack(">H", _FRAME - 1)
    frame = header + bytes([_crc(header, 0x07, 8)]) + b"\x00\x00\x05"
    frame += struct.pack(">H", _crc(frame, 0x8005, 16))
    return b"fLaC\x80" + len(info).to_bytes(3, "big") + info + frame


def _crc(data: bytes, polynomial: int, bits: int) -> int:
    crc = 0
    for byte in data:
        crc ^= byte << (bits - 8)
        for _ in range(8):
            high = crc >> (bits - 1) & 1
            crc = (crc << 1 ^ (polynomial if high else 0)) & ((1 << bits) - 1)
    return crc


def video_without_sound() -> bytes:
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width = stream.height = 32
        for _ in range(5):
            container.mux(stream.encode(av.VideoFrame(32, 32, "yuv420p")))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def absurd_wav_header() -> bytes:
    """It says that it lasts a thousand hours, and holds a second."""
    data = bytearray(wav(1.0))
    data[4:8] = data[40:44] = struct.pack("<I", 0xFFFFFFF0)
    return bytes(data)


def cut(path: Path, share: float = 0.5) -> bytes:
    content = path.read_bytes()
    return content[: int(len(content) * share)]


def hole(path: Path, size: int = 2000) -> bytes:
    """The middle is zeros."""
    content = bytearray(path.read_bytes())
    middle = len(content) // 2
    content[middle : middle + size] = bytes(size)
    return bytes(content)


def referring_mov(target: Path) -> bytes:
    """A QuickTime file whose sound lies in another file: each url of its `dref` is changed."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="mov") as container:
        stream = container.add_stream("pcm_s16le", rate=16_000, layout="mono")
        samples = np.zeros((1, 16_000), dtype=np.int16)
        frame = av.AudioFrame.from_ndarray(samples, format="s16", layout="mono")
        frame.sample_rate = 16_000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    content = buffer.getvalue()
    at = content.index(b"dref") - 4
    size = struct.unpack(">I", content[at : at + 4])[0]
    url = f"file://{target}".encode() + b"\0"
    entry = struct.pack(">I4sI", 12 + len(url), b"url ", 0) + url  # flag 0: it is elsewhere
    box = struct.pack(">I4sII", 16 + len(entry), b"dref", 0, 1) + entry
    grown = bytearray(content[:at] + box + content[at + size :])
    for name in (b"moov", b"trak", b"mdia", b"minf", b"dinf"):
        start = grown.index(name, grown.index(b"moov")) - 4
        old = struct.unpack(">I", grown[start : start + 4])[0]
        grown[start : start + 4] = struct.pack(">I", old + len(box) - size)
    return bytes(grown)
