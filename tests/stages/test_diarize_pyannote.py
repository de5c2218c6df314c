"""DIARIZE with a pipeline of pyannote.audio in a folder of the user's.

The pipeline's code is the real one. Its networks are stand-ins without training (community-1's may
not be handed on): one hears the same voice all the time, the other describes it somehow.
"""

from __future__ import annotations

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from daemon.audio import SAMPLE_RATE, to_int16
from daemon.domain.speakers import Diarization, DiarizationStatus
from daemon.handoff import artefacts
from tests.kit.stage_process import request_for, stage

_SECONDS = 12
_SIZE = 64  # numbers that describe a voice
_CONFIG = """
pipeline:
  name: pyannote.audio.pipelines.SpeakerDiarization
  params:
    segmentation: $model/segmentation
    embedding: $model/embedding
    plda: $model/plda
    clustering: VBxClustering
params:
  segmentation: {min_duration_off: 0.0}
  clustering: {threshold: 0.6, Fa: 0.07, Fb: 0.8}
"""


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Path:
    os.environ["PYANNOTE_METRICS_ENABLED"] = "0"
    import torch  # noqa: PLC0415 - heavy
    from pyannote.audio.core.task import Problem, Resolution, Specifications  # noqa: PLC0415
    from pyannote.audio.models.embedding import XVectorMFCC  # noqa: PLC0415
    from pyannote.audio.models.segmentation import PyanNet  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("community")
    (folder / "config.yaml").write_text(_CONFIG)
    hears = PyanNet(lstm={"hidden_size": 8, "num_layers": 1}, linear={"num_layers": 0})
    hears.specifications = Specifications(
        problem=Problem.MONO_LABEL_CLASSIFICATION,
        resolution=Resolution.FRAME,
        duration=5.0,
        classes=["a", "b"],
        powerset_max_classes=1,
        permutation_invariant=True,
    )
    hears.build()
    torch.nn.init.zeros_(hears.classifier.weight)
    hears.classifier.bias.data = torch.tensor([0.0, 9.0, 0.0])  # nobody, a, b
    with warnings.catch_warnings(action="ignore"):  # about its filters
        describes = XVectorMFCC(dimension=_SIZE)
    describes.specifications = Specifications(
        problem=Problem.REPRESENTATION, resolution=Resolution.CHUNK, duration=5.0, classes=["a"]
    )
    for name, network in (("segmentation", hears), ("embedding", describes)):
        checkpoint = {
            "state_dict": network.state_dict(),
            "hyper_parameters": dict(network.hparams),
            "pytorch-lightning_version": "2.0.0",
        }
        network.on_save_checkpoint(checkpoint)
        (folder / name).mkdir()
        torch.save(checkpoint, folder / name / "pytorch_model.bin")
    (folder / "plda").mkdir()
    none, whole = np.zeros(_SIZE), np.eye(_SIZE)
    np.savez(folder / "plda" / "xvec_transform.npz", mean1=none, mean2=none, lda=whole)
    np.savez(folder / "plda" / "plda.npz", mu=none, tr=whole, psi=np.ones(_SIZE))
    return folder


def _diarized(model: Path, job: Path) -> Diarization:
    (job / "a.wav").touch()
    request = request_for(job / "a.wav", job / "job")
    noise = np.random.default_rng(1).normal(size=_SECONDS * SAMPLE_RATE).astype(np.float32) * 0.1
    np.save(request.folder / artefacts.AUDIO, to_int16(noise))
    command = ("-P", "-s", "-m", "daemon.stages.diarize", f"--model={model}")
    with stage(command, job / "log") as process:
        receipt = process.work_on(request)
    assert receipt.kind is None, receipt
    return artefacts.read_diarization(request.folder, request.nonce)


@pytest.mark.slow
def test_its_turns_are_the_pipelines(pipeline: Path, tmp_path: Path) -> None:
    found = _diarized(pipeline, tmp_path)
    assert (found.status, found.reason) == (DiarizationStatus.COMPLETE, "")
    assert len(found.voices) == 1
    assert [(round(turn.start), round(turn.end), turn.speaker) for turn in found.turns] == [
        (0, _SECONDS, 0)
    ]


@pytest.mark.parametrize(
    "config",
    [None, pytest.param("pipeline: {name: of.another.Kind}", marks=pytest.mark.slow)],
    ids=["nothing", "another-kind"],
)
def test_a_folder_without_a_pipeline_costs_the_labels_alone(
    tmp_path: Path, config: str | None
) -> None:
    if config is not None:
        (tmp_path / "config.yaml").write_text(config)
    found = _diarized(tmp_path, tmp_path)
    assert found.status is DiarizationStatus.FAILED
    assert str(tmp_path) in found.reason
