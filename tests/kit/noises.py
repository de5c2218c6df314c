"""Sounds in which nobody speaks, made in code: 16 kHz, mono.

As a program, `python -m tests.kit.noises BACKEND` prints what Whisper base makes of them as JSON,
though voice-activity detection finds no speech in any: the whole of each is given to it as such.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

from daemon.asr.recognizer import RecognitionOptions, Recognizer
from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.models.registry import BUNDLED

SECONDS = 6.0
_LENGTH = round(SECONDS * SAMPLE_RATE)


def noises() -> dict[str, FloatArray]:
    chance = np.random.default_rng(5)
    time = np.arange(_LENGTH) / SAMPLE_RATE
    sounds = {
        "silence": np.zeros(_LENGTH),
        "white noise": chance.normal(0, 1, _LENGTH),
        "pink noise": _pink(chance),
        "music": _music(chance),
        "applause": _applause(chance),
        "hum": np.sum([np.sin(100 * np.pi * part * time) / part for part in (1, 2, 3, 5)], axis=0),
    }
    return {
        name: (0.5 * sound / max(1e-9, np.abs(sound).max())).astype(np.float32)
        for name, sound in sounds.items()
    }


def _pink(chance: np.random.Generator) -> FloatArray:
    """Noise with as much power in every octave, as of rain and traffic."""
    spectrum = np.fft.rfft(chance.normal(0, 1, _LENGTH))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    return np.fft.irfft(spectrum, _LENGTH).astype(np.float32)


def _music(chance: np.random.Generator) -> FloatArray:
    """Plucked strings, two notes a second."""
    sound = np.zeros(_LENGTH + SAMPLE_RATE)
    time = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    for start in range(0, _LENGTH, SAMPLE_RATE // 2):
        note = 220 * 2 ** (chance.choice([0, 3, 5, 7, 10, 12]) / 12)
        tone = np.sum(
            [np.sin(2 * np.pi * note * part * time) / part for part in range(1, 5)], axis=0
        )
        sound[start : start + SAMPLE_RATE] += tone * np.exp(-3 * time)
    return sound[:_LENGTH].astype(np.float32)


def _applause(chance: np.random.Generator) -> FloatArray:
    """Claps of many hands, 120 a second."""
    clap, sound = 800, np.zeros(_LENGTH)
    for start in chance.integers(0, _LENGTH - clap, round(120 * SECONDS)):
        burst = chance.normal(0, 1, clap) * np.exp(-np.arange(clap) / 120)
        sound[start : start + clap] += burst * chance.uniform(0.2, 1.0)
    return sound.astype(np.float32)


def _recognizer(backend: str, folder: Path) -> Recognizer:
    model = BUNDLED / "whisper-base"
    if backend == "mlx":
        from daemon.asr.mlx_backend.recognizer import MlxRecognizer  # noqa: PLC0415

        return MlxRecognizer(model, name="base")
    from daemon.asr.ctranslate2_backend.conversion import converted  # noqa: PLC0415
    from daemon.asr.ctranslate2_backend.recognizer import CTranslate2Recognizer  # noqa: PLC0415

    return CTranslate2Recognizer(converted(model, folder), name="base")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        recognizer = _recognizer(sys.argv[1], Path(folder))
    heard: dict[str, str] = {}
    for name, sound in noises().items():
        options = RecognitionOptions()
        said = recognizer.recognize(sound, [(0.0, SECONDS)], options, _ignore, _ignore)  # type: ignore[attr-defined]
        heard[name] = " ".join(segment.text for segment in said.segments)
    json.dump(heard, sys.stdout)


def _ignore(_: object) -> None:
    """Nobody is told."""


if __name__ == "__main__":
    main()
