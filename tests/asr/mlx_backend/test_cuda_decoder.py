"""The CUDA kernels beside MLX's own operations. Only where there is an NVIDIA GPU."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn

from daemon.asr.mlx_backend import cuda_encoder, cuda_kernels
from daemon.asr.mlx_backend.batch_size import device_name
from daemon.asr.mlx_backend.engine import Engine
from daemon.asr.mlx_backend.rows import Rows
from daemon.asr.mlx_backend.whisper import attend, split_heads
from daemon.asr.vocabulary import Vocabulary
from daemon.bench.random_models import SIZES, Ours

pytestmark = pytest.mark.skipif(device_name() != "cuda", reason="needs an NVIDIA GPU")

HEADS = 6
WIDTH = 64 * HEADS


def noise(*shape: int) -> mx.array:
    return mx.random.normal(shape).astype(mx.float16)


def error(out: mx.array, expected: mx.array) -> float:
    difference = np.array(out.astype(mx.float32)) - np.array(expected.astype(mx.float32))
    whole = np.array(expected.astype(mx.float32))  # squares of float16 would be too large
    return float(np.linalg.norm(difference) / np.linalg.norm(whole))


@pytest.mark.parametrize("rows", [1, 8, 24, 33, 69])
@pytest.mark.parametrize(("width", "size"), [(384, 1152), (1280, 5120), (5120, 1280)])
def test_a_product_is_float32s(rows: int, width: int, size: int) -> None:
    x, weight, bias, residual = noise(rows, width), noise(size, width), noise(size), None
    exact = x.astype(mx.float32) @ weight.astype(mx.float32).T
    assert error(cuda_kernels.product(x, weight, None, dtype=mx.float32), exact) < 1e-5
    residual = noise(rows, size) * 10
    out = cuda_kernels.product(x, weight, bias, residual=residual)
    assert error(out, exact + bias + residual) < 1e-3


@pytest.mark.parametrize("rows", [1, 7, 24, 69])
@pytest.mark.parametrize("width", [384, 512, 768, 1024, 1280])
def test_a_norm_and_a_gelu_are_float32s(rows: int, width: int) -> None:
    x, weight, bias = noise(rows, width) * 3 + 1, noise(4 * width, width) / 10, noise(4 * width)
    gain, shift = noise(width), noise(width)
    norm = mx.fast.layer_norm(*(array.astype(mx.float32) for array in (x, gain, shift)), 1e-5)
    exact = norm @ weight.astype(mx.float32).T + bias
    exact = exact * (1 + mx.erf(exact / 2**0.5)) / 2
    out = cuda_kernels.product(x, weight, bias, norm=(gain, shift), gelu=True)
    assert error(out, exact) < 1e-3


@pytest.mark.parametrize("rows", [1, 24, 40])
def test_cross_attention_is_that_of_mlx_whether_split_or_not(rows: int) -> None:
    q, k, v = noise(rows, WIDTH), noise(rows, HEADS, 1500, 64), noise(rows, HEADS, 1500, 64)
    exact = attend(split_heads(q[:, None].astype(mx.float32), HEADS), k, v, None)[:, 0]
    for _ in range(2):  # the counters of the first call are at zero again
        assert error(cuda_kernels.cross_attention(q, (k, v), HEADS), exact) < 1e-3


@pytest.mark.parametrize("width", [384, 768, 1280])
def test_a_residual_with_its_norm_and_gelu_are_float32s(width: int) -> None:
    x, y, norm = noise(2, 1500, width), noise(2, 1500, width), nn.LayerNorm(width)
    norm.weight, norm.bias = noise(width), noise(width)
    total, normed = cuda_kernels.add_norm(x, y, norm)
    np.testing.assert_array_equal(np.array(total), np.array(x + y))
    exact = mx.fast.layer_norm(
        *(a.astype(mx.float32) for a in (x + y, norm.weight, norm.bias)), norm.eps
    )
    assert error(normed, exact) < 1e-3
    wide = x.astype(mx.float32)
    assert error(cuda_kernels.gelu(x), wide * (1 + mx.erf(wide / 2**0.5)) / 2) < 1e-3


@pytest.mark.parametrize("windows", [1, 3])
def test_the_encoder_hears_what_the_plain_form_does(windows: int) -> None:
    encoder = Ours(SIZES["tiny"]).model.encoder
    mel = noise(windows, 3000, encoder.conv1.weight.shape[-1])
    assert error(cuda_encoder.encode(encoder, mel), encoder(mel)) < 3e-3


@pytest.mark.parametrize("timestamps", [True, False])
@pytest.mark.parametrize("rows", [1, 3, 24])
def test_steps_choose_the_tokens_of_the_plain_form(rows: int, timestamps: bool) -> None:
    ours = Ours(replace(SIZES["tiny"], n_audio_layer=1))
    plain = Engine(ours.model, Vocabulary(ours.model.dimensions), kernels=False)
    size = ours.model.dimensions
    heard = mx.random.normal((rows, size.n_audio_ctx, size.n_audio_state)).astype(mx.float16)
    cross = ours.model.decoder.keys_values(heard)
    prompts = [ours.vocabulary.prompt("en", None, timestamps=timestamps)] * rows

    def decoded(engine: Engine) -> Rows:
        begun = engine.begin(cross, prompts, [0.0] * rows, [(0, 0)] * rows)
        for _ in range(80):  # beyond the first block of the cache
            begun.grow(len(prompts[0]) + 90)
            engine.step(begun, sample=False)
            mx.eval(begun.scalars)
        return begun

    fast, slow = decoded(ours.engine), decoded(plain)
    for name in ("last", "before", "stamp", "position", "done"):
        np.testing.assert_array_equal(np.array(fast.scalars[name]), np.array(slow.scalars[name]))
    np.testing.assert_allclose(
        np.array(fast.scalars["logprob"]), np.array(slow.scalars["logprob"]), rtol=0.02, atol=0.05
    )
