"""Which weights a name stands for, found on this machine without the network."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.models import checksums, registry
from daemon.models.registry import PRESETS, ModelMissingError


def _in_cache(cache: Path, repository: str, reference: str | None) -> Path:
    """The layout in which the hub's client keeps a repository."""
    folder = cache / f"models--{repository.replace('/', '--')}"
    revision = "c0ffee" if reference is not None else "main"
    snapshot = folder / "snapshots" / revision
    snapshot.mkdir(parents=True)
    if reference is not None:
        (folder / "refs").mkdir()
        (folder / "refs" / reference).write_text(revision)
    return snapshot


@pytest.mark.parametrize("backend", ["mlx", "ctranslate2"])
def test_base_is_always_there(backend: registry.BackendName) -> None:
    weights = registry.find("base", backend, {})
    assert (weights.folder / "weights.safetensors").is_file()
    assert weights.needs_conversion == (backend == "ctranslate2")
    assert checksums.verify(weights.folder) == 1


def test_base_stands_in_until_the_wanted_model_is_here(tmp_path: Path) -> None:
    cache = {"HF_HUB_CACHE": str(tmp_path)}
    stand_in = registry.find_or_stand_in("me/whisper", "mlx", cache, stand_in=True)
    assert (stand_in.name, stand_in.stands_in_for) == ("base", "me/whisper")
    assert "dropscribe models fetch" in registry.about_stand_in(stand_in)
    with pytest.raises(ModelMissingError):
        registry.find_or_stand_in("me/whisper", "mlx", cache, stand_in=False)
    _in_cache(tmp_path, "me/whisper", "main")
    found = registry.find_or_stand_in("me/whisper", "mlx", cache, stand_in=True)
    assert (found.name, found.stands_in_for) == ("me/whisper", "")


def test_a_missing_model_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(ModelMissingError, match="dropscribe models fetch"):
        registry.find("large-v3", "mlx", {"HF_HOME": str(tmp_path)})


def test_a_hub_repository_is_found_where_the_hubs_client_keeps_it(tmp_path: Path) -> None:
    snapshot = _in_cache(tmp_path, "me/whisper", "main")
    weights = registry.find("me/whisper", "mlx", {"HF_HUB_CACHE": str(tmp_path)})
    assert (weights.folder, weights.revision) == (snapshot, "c0ffee")
    assert not weights.needs_conversion
    assert registry.find(
        "me/whisper", "ctranslate2", {"HF_HUB_CACHE": str(tmp_path)}
    ).needs_conversion


def test_a_preset_has_weights_of_its_own_for_each_backend(tmp_path: Path) -> None:
    for name, sources in PRESETS.items():
        source = sources["ctranslate2"]
        _in_cache(tmp_path, source.repository, source.revision)
        found = registry.find(name, "ctranslate2", {"HF_HUB_CACHE": str(tmp_path)})
        assert not found.needs_conversion
        assert sources["mlx"].repository != source.repository


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    assert registry.find(str(tmp_path), "ctranslate2", {}).needs_conversion
    (tmp_path / "model.bin").touch()
    assert not registry.find(str(tmp_path), "ctranslate2", {}).needs_conversion


def test_a_preset_is_no_folder_that_happens_to_lie_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "large-v3").mkdir()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ModelMissingError, match="models fetch large-v3"):
        registry.find("large-v3", "mlx", {"HF_HUB_CACHE": str(tmp_path / "hub")})
    weights = registry.find("./large-v3", "mlx", {})
    assert weights.folder == Path("large-v3")


def test_caches_lie_where_the_environment_says(home: Path) -> None:
    assert registry.hub_cache({}) == home / ".cache" / "huggingface" / "hub"
    assert registry.hub_cache({"HF_HOME": "/h"}) == Path("/h/hub")
    assert registry.hub_cache({"HF_HUB_CACHE": "/c", "HF_HOME": "/h"}) == Path("/c")
