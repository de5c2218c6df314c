"""daemon.stages.rumble: a voice above a loud offset or hum is heard, in its place."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from daemon.stages.channels import Samples, measure
from daemon.stages.rumble import WithoutRumble
from tests.kit import beeps
from tests.kit.beeps import Array, Sound, heard, write
from tests.kit.decoding import decoded_file

_RATE = 48_000
_SECONDS = 4
_TIME = np.arange(_SECONDS * _RATE) / _RATE
_RUMBLES = {
    "offset": np.full_like(_TIME, 0.5),
    "mains": 0.5 * np.sin(2 * np.pi * 50 * _TIME),
    "engine": 0.5 * np.sin(2 * np.pi * (20 + 5 * np.sin(_TIME)) * _TIME),
}


@pytest.mark.parametrize("kind", list(_RUMBLES))
@pytest.mark.parametrize("level", [0.5, 0.02])
def test_a_quiet_voice_above_rumble(tmp_path: Path, kind: str, level: float) -> None:
    sound = (level * beeps.beeps(_SECONDS) + _RUMBLES[kind]).astype(np.float32)
    audio = decoded_file(write(tmp_path / "a.wav", Sound(sound, "pcm_f32le")))[1]
    loudest = float(np.abs(audio).max())
    assert loudest > 0.1
    raised = audio * (0.5 / loudest)
    found = heard(raised)
    assert found == pytest.approx({s: s for s in found}, abs=0.02)
    assert set(found) >= {1, 2, 3}  # the first lies in the filter's own beginning
    assert np.abs(raised[int(1.5 * 16_000) : int(1.9 * 16_000)]).max() < 0.05


def test_a_voice_alone_is_left_as_it_is(tmp_path: Path) -> None:
    assert not _levels_rumble(tmp_path, beeps.beeps(_SECONDS, 16_000))


def test_blocks_are_filtered_as_the_whole_is(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).standard_normal(40_000).astype("<f2")
    path = tmp_path / "samples"
    path.write_bytes(noise.tobytes())
    samples = WithoutRumble(Samples(path, 2))
    whole = samples.read(0, len(samples))
    pieces = [samples.read(at, at + 3000) for at in range(0, len(samples), 3000)]
    assert np.concatenate(pieces) == pytest.approx(whole, abs=1e-4)


def _levels_rumble(folder: Path, audio: Array) -> bool:
    path = folder / "samples"
    path.write_bytes(audio.astype("<f2").tobytes())
    return measure(Samples(path, 1)).rumbles
