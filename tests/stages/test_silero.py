"""The converted network and its rules, beside faster-whisper's, which has them from Silero."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from faster_whisper.vad import VadOptions, get_speech_timestamps, get_vad_model

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.models.checksums import TamperedModelError
from daemon.stages import silero, speech
from daemon.stages.silero import Rules, Silero
from tests.kit.noises import noises
from tests.kit.recognition import audio_of

_MS = SAMPLE_RATE // 1000


@pytest.fixture(scope="module")
def network() -> Silero:
    return Silero()


def _theirs(audio: FloatArray, rules: Rules) -> list[tuple[int, int]]:
    options = VadOptions(
        threshold=rules.threshold,
        neg_threshold=rules.end_threshold,
        min_speech_duration_ms=rules.min_speech // _MS,
        min_silence_duration_ms=rules.min_silence // _MS,
        speech_pad_ms=rules.padding // _MS,
    )
    return [(span["start"], span["end"]) for span in get_speech_timestamps(audio, options)]


@pytest.mark.parametrize("rules", [speech._CLEAR, speech._DOUBTFUL])
@pytest.mark.parametrize("name", ["memo-10s", "spanish-20s", "meeting-60s", *noises()])
def test_the_spans_are_those_of_the_network_as_published(
    network: Silero, name: str, rules: Rules
) -> None:
    audio = noises()[name] if name in noises() else audio_of(name)
    assert network.spans(audio, rules) == _theirs(audio, rules)


def test_a_frame_s_probability_is_the_published_network_s(network: Silero) -> None:
    audio = audio_of("meeting-60s")
    frames = np.pad(audio, (0, 512 - len(audio) % 512))
    assert network.probabilities(audio) == pytest.approx(get_vad_model()(frames), abs=1e-4)


@pytest.mark.parametrize("length", [0, 1, 511, 512, 513, 128 * 512 - 1, 128 * 512])
def test_audio_of_any_length_has_a_probability_for_each_frame(network: Silero, length: int) -> None:
    audio = audio_of("meeting-60s")
    found = network.probabilities(audio[:length])
    assert len(found) == length // 512 + 1
    assert found[:-1] == pytest.approx(network.probabilities(audio)[: len(found) - 1], abs=1e-5)


def test_another_network_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "bundled" / "speech").mkdir(parents=True)
    damaged = tmp_path / "bundled" / "speech" / silero.NETWORK.name
    damaged.write_bytes(silero.NETWORK.read_bytes()[:-1])
    with pytest.raises(TamperedModelError):
        Silero(damaged)
