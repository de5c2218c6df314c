"""DIARIZE as the daemon starts it, with the real networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from daemon.audio import SAMPLE_RATE
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
    np.save(request.folder / artefacts.AUDIO, audio)
    with stage(COMMAND, tmp_path / "log") as process:
        process.hear()
        process.ask(request)
        receipt = process.receipt()
        assert process.close() == 0
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


def test_missing_models_are_a_result_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from daemon.stages import diarize  # noqa: PLC0415 - what the stage itself looks for

    monkeypatch.setattr(registry, "BUNDLED", tmp_path)
    with pytest.raises(registry.ModelMissingError, match="install dropscribe again"):
        diarize._networks()
