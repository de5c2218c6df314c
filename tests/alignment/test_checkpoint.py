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
    Checkpoint,
    read_alphabet,
    read_folder,
)
from daemon.alignment.conversion import convert_fetched, converted_bundle, converted_folder
from daemon.alignment.wav2vec2 import Wav2Vec2
from daemon.models import checksums, registry
from daemon.models.aligners import read_catalogue
from daemon.models.registry import Source
from tests.alignment.conftest import vouch_for
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


def read_bundle(name: str, copies: Path) -> Checkpoint:
    return read_folder(converted_bundle(name, copies))


def read_pickled(folder: Path, copies: Path) -> Checkpoint:
    return read_folder(converted_folder(folder, copies))


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
    monkeypatch.setitem(registry.TORCHAUDIO, "SMALL", "small.pth")
    file = tmp_path / "hub" / "checkpoints" / "small.pth"
    file.parent.mkdir(parents=True)
    torch.save(weights, file)
    monkeypatch.setitem(checksums.TORCHAUDIO, file.name, _digest(file))
    return model


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_weights_are_float32_whatever_the_file_holds() -> None:
    assert {array.dtype for array in read_folder(DEMO).weights.values()} == {np.dtype(np.float32)}


def test_the_alphabet_is_the_one_whisperx_builds() -> None:
    _, metadata = whisperx_alignment().load_align_model("en", "cpu", model_name=str(DEMO))
    assert read_alphabet(DEMO) == metadata["dictionary"]


def test_pickled_weights_are_the_same_model(pickled: Path, tmp_path: Path) -> None:
    expected = read_folder(DEMO)
    found = read_pickled(pickled, tmp_path / "copies")
    assert found.alphabet == expected.alphabet
    assert found.weights.keys() == expected.weights.keys()
    for name, array in found.weights.items():
        np.testing.assert_array_equal(array, expected.weights[name])


def test_a_pickle_that_nobody_vouches_for_is_not_opened(pickled: Path, tmp_path: Path) -> None:
    file = pickled / "pytorch_model.bin"
    file.resolve().rename(file)
    with pytest.raises(AlignModelMissingError, match="a pickle of unknown origin"):
        read_pickled(pickled, tmp_path)


def test_a_pickle_is_converted_once_and_a_damaged_copy_is_made_again(
    pickled: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copies = tmp_path / "copies"
    first = read_pickled(pickled, copies)
    [copy] = copies.iterdir()
    with monkeypatch.context() as without_torch:
        without_torch.setattr(torch, "load", None)
        assert read_pickled(pickled, copies).identity == first.identity
    damaged = copy / "model.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"x")
    assert read_pickled(pickled, copies).identity == first.identity
    assert list(copies.iterdir()) == [copy]


def test_a_pickle_is_read_where_its_copy_cannot_be_kept(pickled: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = read_pickled(pickled, tmp_path / "file")
    assert found.weights.keys() == read_folder(DEMO).weights.keys()


@pytest.mark.parametrize("kind", [torch.bfloat16, torch.float16, torch.float64])
def test_weights_of_any_precision_are_read_without_torch(folder: Path, kind: torch.dtype) -> None:
    from safetensors.torch import load_file, save_file  # noqa: PLC0415

    file = folder / "model.safetensors"
    stored = {name: tensor.to(kind) for name, tensor in load_file(file).items()}
    save_file(stored, file)
    found = read_folder(folder).weights["lm_head.weight"]
    np.testing.assert_array_equal(found, stored["lm_head.weight"].float().numpy())


def test_weights_that_are_cut_off_are_a_plain_error(folder: Path) -> None:
    file = folder / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(AlignModelMissingError, match="fetch the alignment model again"):
        read_folder(folder)


class Intruder:
    """Its pickle runs a command when it is opened."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def test_a_pickle_that_would_run_code_is_refused_and_not_run(folder: Path, tmp_path: Path) -> None:
    (folder / "model.safetensors").unlink()
    torch.save({"lm_head.weight": Intruder(tmp_path / "ran")}, folder / "pytorch_model.bin")
    vouch_for(folder / "pytorch_model.bin")
    with pytest.raises(pickle.UnpicklingError):
        read_pickled(folder, tmp_path / "copies")
    assert not (tmp_path / "ran").exists()
    assert list((tmp_path / "copies").iterdir()) == []


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


def test_a_torchaudio_bundle_hears_what_torchaudio_hears(
    bundle: torch.nn.Module, tmp_path: Path
) -> None:
    checkpoint = read_bundle("SMALL", tmp_path / "copies")
    waveform = (np.random.default_rng(0).normal(size=9000) * 0.1).astype(np.float32)
    [emission] = Wav2Vec2(checkpoint.architecture, checkpoint.weights)([waveform])
    with torch.inference_mode():
        logits, _ = bundle(torch.from_numpy(waveform)[None])
    np.testing.assert_allclose(emission, torch.log_softmax(logits[0], dim=-1), atol=2e-4)
    assert checkpoint.alphabet["-"] == 0
    assert checkpoint.alphabet["e"] == 2


def test_what_was_fetched_as_a_pickle_is_converted_at_once(
    bundle: torch.nn.Module, tmp_path: Path
) -> None:
    del bundle
    copy = convert_fetched(Source("SMALL"), tmp_path / "copies")
    assert copy == converted_bundle("SMALL", tmp_path / "copies")
    assert checksums.verify(copy) == 1
    assert convert_fetched(Source("no/such"), tmp_path / "copies") is None


def test_a_bundle_that_was_changed_or_that_nobody_vouches_for_is_not_opened(
    bundle: torch.nn.Module, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del bundle
    file = tmp_path / "hub" / "checkpoints" / "small.pth"
    file.write_bytes(file.read_bytes() + b"more")
    with pytest.raises(checksums.TamperedModelError, match="was changed"):
        read_bundle("SMALL", tmp_path)
    monkeypatch.delitem(checksums.TORCHAUDIO, file.name)
    with pytest.raises(AlignModelMissingError, match="a pickle of unknown origin"):
        read_bundle("SMALL", tmp_path)


def test_every_model_that_whisperx_takes_from_torchaudio_is_known_and_pinned() -> None:
    from torchaudio import pipelines  # noqa: PLC0415

    names = [name for name in read_catalogue().models.values() if "/" not in name]
    assert {name: getattr(pipelines, name)._path for name in names} == registry.TORCHAUDIO
    assert set(registry.TORCHAUDIO.values()) == checksums.TORCHAUDIO.keys()


def test_a_bundle_that_was_not_downloaded_is_missing_and_is_not_fetched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(AlignModelMissingError, match="is not on this machine"):
        read_bundle("WAV2VEC2_ASR_BASE_960H", tmp_path)


def test_a_name_that_torchaudio_does_not_know_is_a_missing_model() -> None:
    with pytest.raises(AlignModelMissingError, match="'GRAND_PIANO'"):
        read_bundle("GRAND_PIANO", Path())
