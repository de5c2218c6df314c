"""daemon.stages.headers: WAV files whose samples are wider than the bits that are used of them."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest

from daemon.stages.decode import UnreadableError
from tests.kit import beeps
from tests.kit.beeps import Array, heard
from tests.kit.decoding import decoded_file

_RATE = 16_000
_SECONDS = 3
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE
_SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")


def _samples(audio: Array, width: int, used: int) -> bytes:
    """Left-justified integers of `width` bits, of which `used` are."""
    if width == 8:
        return (audio * 127 + 128).astype("u1").tobytes()
    whole = (audio.astype(np.float64) * (2**31 - 1)).astype("<i4") & ~((1 << (32 - used)) - 1)
    return whole.astype("<i4").view(np.uint8).reshape(-1, 4)[:, 4 - width // 8 :].tobytes()


def _write(path: Path, form: int, width: int, bits: int, used: int | None, data: bytes) -> Path:
    """A WAV file; `bits` is what its header says of a sample, `used` what it says of valid bits."""
    block = width // 8
    described = struct.pack("<HHIIHH", form, 1, _RATE, _RATE * block, block, bits)
    if used is not None:
        described += struct.pack("<HHIH", 22, used, 4, _PCM) + _SUBFORMAT
    content = b"WAVEfmt " + struct.pack("<I", len(described)) + described
    content += b"data" + struct.pack("<I", len(data)) + data
    path.write_bytes(b"RIFF" + struct.pack("<I", len(content)) + content)
    return path


@pytest.mark.parametrize(
    ("width", "used"),
    [
        *((8, 8), (16, 8), (16, 12), (16, 16), (16, 0), (24, 16), (24, 20), (24, 24)),
        *((32, 16), (32, 20), (32, 24), (32, 32), (32, 0)),
    ],
)
def test_valid_bits_are_not_the_width_of_a_sample(tmp_path: Path, width: int, used: int) -> None:
    data = _samples(beeps.beeps(_SECONDS, _RATE), width, used or width)
    path = _write(tmp_path / "a.wav", _EXTENSIBLE, width, width, used, data)
    decoded, audio = decoded_file(path)
    assert decoded.seconds == _SECONDS
    assert heard(audio) == pytest.approx({0: 0, 1: 1, 2: 2}, abs=0.01)


@pytest.mark.parametrize(("width", "bits"), [(16, 12), (24, 20), (32, 20), (32, 24)])
def test_headers_without_valid_bits(tmp_path: Path, width: int, bits: int) -> None:
    data = _samples(beeps.beeps(_SECONDS, _RATE), width, bits)
    decoded, audio = decoded_file(_write(tmp_path / "a.wav", _PCM, width, bits, None, data))
    assert decoded.seconds == _SECONDS
    assert heard(audio) == pytest.approx({0: 0, 1: 1, 2: 2}, abs=0.01)


def test_floats_that_call_themselves_24_bits(tmp_path: Path) -> None:
    """Cool Edit's and Audition's own format: floats up to 2^23 - 1, in 32 bits."""
    data = (beeps.beeps(_SECONDS, _RATE) * (2**23 - 1)).astype("<f4").tobytes()
    data = bytes(4 * 2 * _RATE) + data  # which begins with silence
    _, audio = decoded_file(_write(tmp_path / "a.wav", _PCM, 32, 24, None, data))
    assert heard(audio) == pytest.approx({0: 2, 1: 3, 2: 4}, abs=0.01)


def test_big_endian_wav_is_refused_not_heard_as_noise(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    described = struct.pack(">HHIIHH", _PCM, 1, _RATE, 2 * _RATE, 2, 16)
    data = (beeps.beeps(_SECONDS, _RATE) * 32_000).astype(">i2").tobytes()
    content = b"WAVEfmt " + struct.pack(">I", 16) + described + b"data"
    content += struct.pack(">I", len(data)) + data
    path.write_bytes(b"RIFX" + struct.pack(">I", len(content)) + content)
    with pytest.raises(UnreadableError, match="RIFX"):
        decoded_file(path)
