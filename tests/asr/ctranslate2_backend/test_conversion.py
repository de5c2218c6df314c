"""The bundled MLX checkpoint as CTranslate2 int8."""

from __future__ import annotations

import shutil
from pathlib import Path

import mlx.core as mx
import numpy as np
import pytest

from daemon.asr.checkpoint import Checkpoint, Quantization, read_checkpoint
from daemon.asr.ctranslate2_backend.conversion import converted
from daemon.asr.ctranslate2_backend.mlx_weights import expand, read_weights
from daemon.errors import DropscribeError
from tests.kit.recognition import DEMO


def test_a_checkpoint_is_converted_once(tmp_path: Path) -> None:
    first = converted(DEMO, tmp_path)
    written = (first / "model.bin").stat().st_mtime_ns
    assert converted(DEMO, tmp_path) == first
    assert (first / "model.bin").stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.iterdir()] == [first.name]


def test_a_changed_checkpoint_is_converted_again(tmp_path: Path) -> None:
    model = shutil.copytree(DEMO, tmp_path / "model")
    first = converted(model, tmp_path / "cache")
    (model / "weights.safetensors").touch()
    assert converted(model, tmp_path / "cache") != first


def test_a_half_written_conversion_leaves_nothing_behind(tmp_path: Path) -> None:
    model = shutil.copytree(DEMO, tmp_path / "model")
    (model / "weights.safetensors").write_bytes(b"torn off")
    with pytest.raises(DropscribeError, match="fetch the model again"):
        converted(model, tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_quantised_weights_expand_to_what_mlx_makes_of_them(bits: int) -> None:
    matrix = mx.random.normal((96, 256), key=mx.random.key(0)).astype(mx.float16)
    packed, scales, biases = mx.quantize(matrix, group_size=64, bits=bits)
    ours = expand(np.array(packed), np.array(scales), np.array(biases), Quantization(64, bits))
    theirs = mx.dequantize(
        packed, scales.astype(mx.float32), biases.astype(mx.float32), group_size=64, bits=bits
    )
    np.testing.assert_allclose(ours, np.array(theirs), atol=1e-6)


def test_an_odd_quantisation_is_refused_with_advice() -> None:
    words, scales = np.zeros((1, 6), np.uint32), np.zeros((1, 1), np.float16)
    with pytest.raises(DropscribeError, match="use a 4-bit, 8-bit or fp16 model"):
        expand(words, scales, scales, Quantization(64, 3))


def test_npz_and_safetensors_hold_the_same_weights(tmp_path: Path) -> None:
    checkpoint = read_checkpoint(DEMO)
    mx.savez(str(tmp_path / "weights.npz"), **mx.load(str(checkpoint.weights)))
    archive = Checkpoint(checkpoint.dimensions, checkpoint.quantization, tmp_path / "weights.npz")
    ours, theirs = read_weights(checkpoint), read_weights(archive)
    assert ours.keys() == theirs.keys()
    assert all(np.array_equal(ours[name], theirs[name]) for name in ours)


def test_a_folder_without_a_model_is_named(tmp_path: Path) -> None:
    with pytest.raises(DropscribeError, match=r"config\.json cannot be read"):
        read_checkpoint(tmp_path)
    (tmp_path / "config.json").write_text('{"model_type": "whisper", "d_model": 1280}')
    with pytest.raises(DropscribeError, match="lacks n_mels"):
        read_checkpoint(tmp_path)
