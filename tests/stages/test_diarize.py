"""DIARIZE as the daemon starts it, with the real networks."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np
import pytest

from daemon.audio import SAMPLE_RATE, Recording, to_int16
from daemon.diarization import heard_file
from daemon.diarization.clustering import Count
from daemon.diarization.diarizer import arrange
from daemon.domain.speakers import DiarizationStatus
from daemon.handoff import artefacts
from daemon.models import registry
from tests.kit import speakers
from tests.kit.stage_process import request_for, stage

COMMAND = ("-P", "-s", "-m", "daemon.stages.diarize")


def test_a_call_between_two_people(tmp_path: Path) -> None:
    source = speakers.FOLDER / "sample.flac"
    request = request_for(source, tmp_path / "job")
    audio = speakers.samples(source)[: 20 * SAMPLE_RATE]
    np.save(request.folder / artefacts.AUDIO, to_int16(audio))
    with stage(COMMAND, tmp_path / "log") as process:
        receipt = process.work_on(request)
    assert receipt.kind is None, receipt
    assert receipt.usage.cpu_seconds > 0
    found = artefacts.read_diarization(request.folder, request.nonce)
    assert found.status is DiarizationStatus.COMPLETE
    assert len(found.voices) == 2
    heard = heard_file.load(request.folder / artefacts.VOICES)
    assert heard.length == len(audio)
    turns, _ = arrange(heard, Count())
    assert [(turn.speaker, round(turn.start, 1)) for turn in turns] == [
        (turn.speaker, round(turn.start, 1)) for turn in found.turns
    ]
    alone, voices = arrange(heard, Count(1, 1))
    assert len(voices) == 1
    assert {turn.speaker for turn in alone} == {0}


def test_a_call_with_a_channel_for_each_side(tmp_path: Path) -> None:
    """PREPARE keeps the channels of a stereo file apart and silences cross-talk."""
    second = np.sin(np.arange(SAMPLE_RATE) * 0.3) * np.repeat(
        np.random.default_rng(1).random(50), 320
    )
    silence = np.zeros(SAMPLE_RATE)
    left = np.concatenate([second, silence, second, silence])
    right = np.concatenate([silence, second * 0.5, silence, second * 0.5])
    stereo = np.stack([left + 0.1 * right, right + 0.1 * left], axis=1)
    source = tmp_path / "call.wav"
    with wave.open(str(source), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((stereo * 20_000).astype("<i2").tobytes())
    request = request_for(source, tmp_path / "job", speakers="channels")
    with stage(("-P", "-s", "-m", "daemon.stages.prepare"), tmp_path / "log") as process:
        process.hear()
        process.ask(request)
        receipt = process.receipt()
        assert receipt.kind is None, receipt
    found = artefacts.read_diarization(request.folder, request.nonce)
    assert (found.status, found.method) == (DiarizationStatus.COMPLETE, "channels")
    assert [(turn.speaker, round(turn.start)) for turn in found.turns] == [
        (0, 0),
        (1, 1),
        (0, 2),
        (1, 3),
    ]
    prepared = artefacts.read_prepared(request.folder)
    assert (len(prepared.lanes), prepared.lanes_are, prepared.duration) == (2, "channels", 4.0)
    audio = Recording(request.folder / artefacts.AUDIO)
    for lane, quiet in zip(prepared.lanes, (1.2, 0.2), strict=True):
        at = round((lane.offset + quiet) * SAMPLE_RATE)
        assert not audio[at : at + SAMPLE_RATE // 2].any(), "the other side's voice"
        assert audio[at - SAMPLE_RATE : at].any() or quiet < 1


def test_channels_that_hold_the_same_are_mixed_and_the_reason_is_given(tmp_path: Path) -> None:
    source = tmp_path / "dual-mono.wav"
    voice = speakers.samples(speakers.FOLDER / "sample.flac")[: 8 * SAMPLE_RATE]
    with wave.open(str(source), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE)
        file.writeframes((np.stack([voice, voice], axis=1) * 20_000).astype("<i2").tobytes())
    request = request_for(source, tmp_path / "job", speakers="channels")
    with stage(("-P", "-s", "-m", "daemon.stages.prepare"), tmp_path / "log") as process:
        process.hear()
        process.ask(request)
        assert process.receipt().kind is None
    prepared = artefacts.read_prepared(request.folder)
    assert (prepared.lanes, prepared.duration) == ((), 8.0)
    assert len(Recording(request.folder / artefacts.AUDIO)) == 8 * SAMPLE_RATE
    found = artefacts.read_diarization(request.folder, request.nonce)
    assert found.status is DiarizationStatus.FAILED
    assert "same sound" in found.reason


def test_missing_models_are_a_result_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daemon.stages import diarize  # noqa: PLC0415 - what the stage itself looks for

    monkeypatch.setattr(registry, "BUNDLED", tmp_path)
    with pytest.raises(registry.ModelMissingError, match="install dropscribe again"):
        diarize._networks()
