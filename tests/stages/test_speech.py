"""Where somebody speaks, by the real detector: real voices, and sounds that are none."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from daemon.audio import SAMPLE_RATE, FloatArray, to_int16
from daemon.models.registry import BUNDLED
from daemon.stages import speech
from tests.kit.noises import noises
from tests.kit.recognition import audio_of, decoded_file

_SECONDS = 12
_LENGTH = _SECONDS * SAMPLE_RATE
_TIME = np.arange(_LENGTH) / SAMPLE_RATE


def _noise() -> FloatArray:
    return np.random.default_rng(1).normal(0, 0.1, _LENGTH).astype(np.float32)


def _hum() -> FloatArray:
    hum = 0.1 * (np.sin(2 * np.pi * 50 * _TIME) + 0.3 * np.sin(2 * np.pi * 150 * _TIME))
    return hum.astype(np.float32)


def _applause() -> FloatArray:
    """Hundreds of claps a second."""
    claps = np.random.default_rng(2).random(_LENGTH) < 300 / SAMPLE_RATE
    decay = np.exp(-np.arange(800) / 120)
    return (_noise() * np.convolve(claps, decay)[:_LENGTH]).astype(np.float32)


def _music() -> FloatArray:
    """Chords of decaying overtones, two a second."""
    beat = _TIME % 0.5
    chords = np.array([[220, 277, 330], [196, 247, 294], [175, 220, 262], [165, 208, 247]])
    notes = chords[(_TIME // 2).astype(int) % 4].T
    tones = sum(np.sin(2 * np.pi * n * notes * beat) / n for n in range(1, 5)).sum(axis=0)
    return (0.05 * tones * np.exp(-3 * beat)).astype(np.float32)


def _find(folder: Path, audio: FloatArray) -> float:
    """How many seconds of speech are found."""
    path = folder / "audio.npy"
    np.save(path, to_int16(audio))
    return sum(end - start for start, end in speech.find(path, lambda *_: None))


@pytest.mark.parametrize(
    ("sound", "level"),
    [
        (_noise, 1),
        (_noise, 0.01),
        (_hum, 1),
        (_hum, 0.01),
        (_applause, 1),
        (_applause, 0.01),
        (_music, 1),
    ],
)
def test_what_is_no_voice_is_no_speech_however_loud(
    tmp_path: Path, sound: Callable[[], FloatArray], level: float
) -> None:
    assert _find(tmp_path, sound() * np.float32(level)) == 0


def test_silence_is_no_speech(tmp_path: Path) -> None:
    assert _find(tmp_path, np.zeros(_LENGTH, np.float32)) == 0


def test_blocks_beside_one_another_are_found_as_one_after_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "audio.npy"
    np.save(path, to_int16(audio_of("meeting-60s")))
    monkeypatch.setattr(speech, "BLOCK", 7 * SAMPLE_RATE)
    told: list[float] = []
    beside = speech.find(path, lambda done, _: told.append(done))
    assert told == sorted(told)
    assert len(told) > speech._MOST_THREADS
    monkeypatch.setattr(speech, "_MOST_THREADS", 1)
    assert speech.find(path, lambda *_: None) == beside


def test_a_quiet_voice_is_speech(tmp_path: Path) -> None:
    loud = _find(tmp_path, audio_of("memo-10s"))
    assert _find(tmp_path, audio_of("memo-10s") * np.float32(0.003)) == pytest.approx(loud, rel=0.1)


def test_a_voice_that_music_half_drowns_is_speech(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    voice = decoded_file(BUNDLED / "audio" / "jfk.flac")
    music = np.resize(noises()["music"], len(voice))
    mixed = (0.1 * (voice / np.std(voice) + 1.4 * music / np.std(music))).astype(np.float32)
    found = _find(tmp_path, mixed)
    monkeypatch.setattr(speech, "_LONG", len(mixed) + 1)  # never a second look
    assert found > 1.5 * _find(tmp_path, mixed)


def test_a_long_quiet_stretch_is_looked_at_once_more_at_the_level_of_a_near_voice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    levels: list[float] = []

    def deaf(_: object, audio: FloatArray, __: object) -> list[tuple[int, int]]:
        levels.append(float(np.abs(audio).max()))
        return []

    monkeypatch.setattr(speech.Silero, "spans", deaf)
    assert _find(tmp_path, audio_of("memo-10s") * np.float32(0.01)) == 0
    first, second = levels
    assert second > 10 * first
    levels.clear()
    assert _find(tmp_path, _noise() * np.float32(0.01)) == 0
    assert len(levels) == 1, "noise is steady"
