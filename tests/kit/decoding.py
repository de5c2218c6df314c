"""A recording through the real decoder, without a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.audio import Recording
from daemon.stages.decode import Decoded, decode
from daemon.stages.selection import TrackChoice
from tests.kit.beeps import Array, heard


def decoded_file(path: Path, choice: TrackChoice = "mix") -> tuple[Decoded, Array]:
    """What the decoder says of it, and the samples of its voice track."""
    folder = path.parent / "decoded"
    folder.mkdir(exist_ok=True)
    with path.open("rb") as file:
        decoded = decode(file, folder / "audio.npy", 1e6, lambda *_: None, choice=choice)
    assert [entry.name for entry in folder.iterdir()] == ["audio.npy"], "nothing is left behind"
    audio = Recording(folder / "audio.npy")[:]
    assert decoded.seconds == pytest.approx(len(audio) / 16_000, abs=0.001)
    return decoded, audio


def times(path: Path) -> dict[int, float]:
    """When each beep sounds (tests/kit/beeps.py)."""
    return heard(decoded_file(path)[1])
