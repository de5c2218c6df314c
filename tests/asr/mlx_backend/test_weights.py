"""How much memory loading takes beside the weights themselves, and under which names they lie."""

from __future__ import annotations

from pathlib import Path

import mlx.core as mx
import pytest
from mlx import nn
from mlx.utils import tree_flatten

from daemon.asr.mlx_backend.weights import load_model
from daemon.asr.mlx_backend.whisper import Whisper
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


def test_a_decoder_in_8_bits_takes_half_the_memory_and_says_the_same(tmp_path: Path) -> None:
    size = dimensions(width=128)
    folder = write_checkpoint(tmp_path / "model", size)
    plain, packed = load_model(folder), load_model(folder, decoder_bits=8)
    # float32 on a CPU: 8 bits are a quarter of it.
    assert _bytes_of(packed.decoder.blocks[0]) < 0.6 * _bytes_of(plain.decoder.blocks[0]) / 2
    assert _bytes_of(packed.encoder) == _bytes_of(plain.encoder)
    audio = mx.random.normal((1, 1500, size.n_audio_state))
    tokens = mx.array([[50258, 50259, 50359, 50364]])
    logits = [_logits(model, tokens, audio) for model in (plain, packed)]
    spread = float(mx.std(logits[0]))
    assert float(mx.abs(logits[0] - logits[1]).max()) < 0.1 * spread


def _bytes_of(part: nn.Module) -> int:
    return sum(array.nbytes for _, array in tree_flatten(part.parameters()))


def _logits(model: Whisper, tokens: mx.array, audio: mx.array) -> mx.array:
    positions = mx.arange(tokens.shape[1])[None]
    hidden = model.decoder(
        tokens, positions, lambda _, new: new, "causal", model.decoder.keys_values(audio)
    )
    return model.decoder.logits(hidden)
