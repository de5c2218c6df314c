"""How much memory loading takes beside the weights themselves, and under which names they lie."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import pytest
from mlx.utils import tree_flatten

from daemon.asr.mlx_backend.weights import load_model
from tests.kit.tiny_whisper import dimensions, write_checkpoint


def test_loading_takes_little_more_than_the_model_and_keeps_nothing_else(tmp_path: Path) -> None:
    folder = write_checkpoint(tmp_path / "model", dimensions(width=512))
    mx.clear_cache()
    before = mx.get_active_memory()
    mx.reset_peak_memory()
    model = load_model(folder)
    size = sum(array.nbytes for _, array in tree_flatten(model.parameters()))
    assert mx.get_peak_memory() - before < 1.25 * size  # all parts beside their wholes: 1.46
    assert mx.get_active_memory() - before < 1.01 * size
    assert mx.get_cache_memory() == 0


@pytest.mark.parametrize("name", ["weights.safetensors", "model.safetensors"])
def test_the_names_of_old_and_new_converters_are_found(tmp_path: Path, name: str) -> None:
    folder = write_checkpoint(tmp_path / "model", dimensions())
    (folder / "weights.safetensors").rename(folder / name)
    assert load_model(folder).dimensions == dimensions()
