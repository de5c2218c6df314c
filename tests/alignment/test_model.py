from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from daemon.alignment.checkpoint import AlignModelMissingError
from daemon.alignment.model import load_align_model
from daemon.alignment.wav2vec2 import Wav2Vec2
from daemon.alignment.whisperx_network import WhisperXNetwork
from daemon.models.aligners import NoAlignModelError, read_catalogue
from tests.kit.alignment_samples import DEMO, whisperx_alignment


def test_a_local_folder_is_a_model_for_any_language() -> None:
    model = load_align_model("en", str(DEMO))
    assert isinstance(model.network, Wav2Vec2)
    assert model.alphabet.tokens["e"] == 5
    assert model.alphabet.spaced


def test_japanese_and_chinese_are_written_without_spaces() -> None:
    assert not load_align_model("ja", str(DEMO)).alphabet.spaced
    assert not load_align_model("zh", str(DEMO)).alphabet.spaced


def test_a_language_without_a_model_is_a_typed_error() -> None:
    with pytest.raises(NoAlignModelError):
        load_align_model("yi")


def test_a_language_without_a_default_takes_the_model_that_is_named() -> None:
    assert load_align_model("yi", str(DEMO)).name == str(DEMO)


@pytest.mark.parametrize("language", sorted(read_catalogue().models))
def test_every_default_model_that_is_not_here_is_named_and_not_fetched(
    language: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(AlignModelMissingError, match=f"models fetch {language}`"):
        load_align_model(language)


@pytest.mark.parametrize("name", ["/no/such/folder", "~/nothing", "a/b/c", "someone/something"])
def test_a_model_that_is_nowhere_is_missing(name: str) -> None:
    with pytest.raises(AlignModelMissingError, match=name):
        load_align_model("en", name)


def test_a_repository_in_the_hub_cache_is_found_by_its_revision(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "c0ffee" * 6 + "c0ff"
    repository = tmp_path / "models--someone--something"
    shutil.copytree(DEMO, repository / "snapshots" / commit)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path))
    assert load_align_model("en", "someone/something").alphabet.blank == 0
    assert load_align_model("en", "someone/something", commit).alphabet.blank == 0
    with pytest.raises(AlignModelMissingError):
        load_align_model("en", "someone/something", "decaf" * 8)


def test_a_network_that_is_not_plain_wav2vec2_runs_in_whisperx(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(DEMO, tmp_path / "model"))
    config = json.loads((folder / "config.json").read_text("utf-8"))
    (folder / "config.json").write_text(json.dumps({**config, "hidden_act": "relu"}), "utf-8")
    model = load_align_model("en", str(folder))
    assert isinstance(model.network, WhisperXNetwork)
    theirs, metadata = whisperx_alignment().load_align_model("en", "cpu", model_name=str(folder))
    waveform = (np.random.default_rng(0).normal(size=9000) * 0.1).astype(np.float32)
    with torch.inference_mode():
        logits = theirs(torch.from_numpy(waveform)[None]).logits[0]
    [emission] = model.network.to("cpu")([waveform])
    np.testing.assert_allclose(emission, torch.log_softmax(logits, dim=-1), atol=1e-5)
    assert model.alphabet.tokens == metadata["dictionary"]
