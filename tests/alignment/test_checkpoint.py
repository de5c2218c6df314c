from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from daemon.alignment.architecture import UnsupportedArchitectureError
from daemon.alignment.checkpoint import (
    AlignModelMissingError,
    bundle_path,
    find_bundle,
    read_alphabet,
    read_bundle,
    read_folder,
)
from daemon.alignment.wav2vec2 import Wav2Vec2
from daemon.models import checksums
from daemon.models.aligners import read_catalogue
from tests.kit.alignment_samples import DEMO, whisperx_alignment

SMALL_BUNDLE = {  # changes to the English default's 95 million parameters
    "extractor_conv_layer_config": [(32, 10, 5), *[(32, 3, 2)] * 4, *[(32, 2, 2)] * 2],
    "encoder_embed_dim": 96,
    "encoder_num_layers": 2,
    "encoder_num_heads": 4,
    "encoder_ff_interm_features": 128,
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(DEMO, tmp_path / "model"))


@pytest.fixture
def bundle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> torch.nn.Module:
    """A small torchaudio bundle called SMALL, its random weights where torch would put them."""
    from torchaudio import pipelines  # noqa: PLC0415
    from torchaudio.models import wav2vec2_model  # noqa: PLC0415

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    english = pipelines.WAV2VEC2_ASR_BASE_960H
    small = replace(english, _path="small.pth", _params={**english._params, **SMALL_BUNDLE})
    monkeypatch.setattr(pipelines, "SMALL", small, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model: torch.nn.Module = wav2vec2_model(**small._params).eval()
    weights = model.state_dict()
    for name in ("aux.weight", "aux.bias"):  # the file has fairseq's three rows that mean nothing
        rows = weights[name]
        weights[name] = torch.cat([rows[:1], torch.full_like(rows[:3], 99.0), rows[1:]])
    file = tmp_path / "hub" / "checkpoints" / "small.pth"
    file.parent.mkdir(parents=True)
    torch.save(weights, file)
    monkeypatch.setitem(checksums.TORCHAUDIO, file.name, _digest(file))
    return model


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def _vouch_for(file: Path) -> None:
    """Keep a file as the hub's cache does: under its digest, with a link to it."""
    blob = file.parent.parent / _digest(file)
    file.rename(blob)
    file.symlink_to(blob)


def test_weights_are_float32_whatever_the_file_holds() -> None:
    assert {tensor.dtype for tensor in read_folder(DEMO).weights.values()} == {torch.float32}


def test_the_alphabet_is_the_one_whisperx_builds() -> None:
    _, metadata = whisperx_alignment().load_align_model("en", "cpu", model_name=str(DEMO))
    assert read_alphabet(DEMO) == metadata["dictionary"]


def test_pickled_weights_are_the_same_model(folder: Path) -> None:
    expected = read_folder(folder).weights
    from safetensors.torch import load_file  # noqa: PLC0415

    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(AlignModelMissingError, match="a pickle of unknown origin"):
        read_folder(folder)
    _vouch_for(folder / "pytorch_model.bin")
    found = read_folder(folder).weights
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


class Intruder:
    """Its pickle runs a command when it is opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def test_a_pickle_that_would_run_code_is_refused_and_not_run(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"lm_head.weight": Intruder(tmp_path / "ran")}, folder / "pytorch_model.bin")
    _vouch_for(folder / "pytorch_model.bin")
    with pytest.raises(pickle.UnpicklingError):
        read_folder(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("missing", ["config.json", "vocab.json", "model.safetensors"])
def test_an_incomplete_folder_is_a_missing_model_and_says_which_file(
    folder: Path, missing: str
) -> None:
    (folder / missing).unlink()
    with pytest.raises(AlignModelMissingError, match=missing):
        read_folder(folder)


def test_added_tokens_belong_to_the_alphabet(folder: Path) -> None:
    (folder / "added_tokens.json").write_text(json.dumps({"<X>": 51}), "utf-8")
    assert read_alphabet(folder)["<x>"] == 51


def test_a_vocabulary_for_several_languages_is_not_ours_to_read(folder: Path) -> None:
    (folder / "vocab.json").write_text(json.dumps({"eng": {"a": 1}}), "utf-8")
    with pytest.raises(UnsupportedArchitectureError):
        read_alphabet(folder)


def test_a_torchaudio_bundle_hears_what_torchaudio_hears(bundle: torch.nn.Module) -> None:
    checkpoint = read_bundle("SMALL")
    waveform = (np.random.default_rng(0).normal(size=9000) * 0.1).astype(np.float32)
    [emission] = Wav2Vec2(checkpoint.architecture, checkpoint.weights)([waveform])
    with torch.inference_mode():
        logits, _ = bundle(torch.from_numpy(waveform)[None])
    np.testing.assert_allclose(emission, torch.log_softmax(logits[0], dim=-1), atol=2e-4)
    assert checkpoint.alphabet["-"] == 0
    assert checkpoint.alphabet["e"] == 2


def test_a_bundle_that_was_changed_or_that_nobody_vouches_for_is_not_opened(
    bundle: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bundle
    file = tmp_path / "hub" / "checkpoints" / "small.pth"
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(checksums.TamperedModelError, match="was changed"):
        read_bundle("SMALL")
    monkeypatch.delitem(checksums.TORCHAUDIO, file.name)
    with pytest.raises(AlignModelMissingError, match="a pickle of unknown origin"):
        read_bundle("SMALL")


def test_every_model_that_whisperx_takes_from_torchaudio_is_pinned() -> None:
    names = [name for name in read_catalogue().models.values() if "/" not in name]
    assert {bundle_path(find_bundle(name)).name for name in names} == checksums.TORCHAUDIO.keys()


def test_a_bundle_that_was_not_downloaded_is_missing_and_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(AlignModelMissingError, match="is not on this machine"):
        read_bundle("WAV2VEC2_ASR_BASE_960H")


def test_a_name_that_torchaudio_does_not_know_is_a_missing_model() -> None:
    with pytest.raises(AlignModelMissingError, match="'GRAND_PIANO'"):
        read_bundle("GRAND_PIANO")
