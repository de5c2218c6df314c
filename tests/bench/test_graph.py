"""The primitives of a decode step: their number does not depend on the machine's speed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import mlx.core as mx
import pytest

from daemon.asr.mlx_backend import cpu_kernels, cuda_kernels
from daemon.asr.mlx_backend.attempts import BatchSize
from daemon.asr.mlx_backend.cuda_decoder import CudaDecoder
from daemon.asr.mlx_backend.rows import Rows
from daemon.asr.mlx_backend.token_rules import TokenRules
from daemon.bench.graph import kernels, primitives
from daemon.bench.random_models import SIZES, Ours, noise

# On a CPU a layer norm and an attention are several primitives; on a GPU each is one.
_MOST_KERNELS_A_LAYER = 35
_MOST_KERNELS_BESIDE = 30


def test_every_window_of_noise_is_decoded_to_its_last_token() -> None:
    ours = Ours(replace(SIZES["tiny"], n_audio_layer=1, n_text_ctx=20))
    assert ours.windows(noise(1), 3, BatchSize(rows=2, encoded=2))["tokens"] == 10


def _begun(layers: int) -> tuple[Ours, Rows]:
    ours = Ours(replace(SIZES["tiny"], n_audio_layer=1, n_text_layer=layers))
    heard = mx.random.normal((2, 1500, ours.model.dimensions.n_audio_state))
    cross = ours.model.decoder.keys_values(heard)
    prompts = [ours.vocabulary.prompt("en", None)] * 2
    rows = ours.engine.begin(cross, prompts, [0.0] * 2, [(0, 0)] * 2)
    mx.eval(rows.scalars, rows.own)
    return ours, rows


def _step(layers: int) -> Counter[str]:
    ours, rows = _begun(layers)
    mx.enable_compile()  # which fuses operations on a GPU; on a CPU the engine does without
    try:
        with cpu_kernels.left_out():
            ours.engine.step(rows, sample=False)
    finally:
        mx.disable_compile()
    return primitives([*rows.scalars.values(), *rows.own])


def test_a_step_starts_no_more_kernels_than_it_must() -> None:
    one, two = kernels(_step(1)), kernels(_step(2))
    assert two - one <= _MOST_KERNELS_A_LAYER
    assert one - (two - one) <= _MOST_KERNELS_BESIDE


def test_a_layer_writes_its_keys_and_values_at_once() -> None:
    assert _step(2)["ScatterAxis"] == 2


def test_on_cuda_a_step_is_eight_kernels_a_layer(monkeypatch: pytest.MonkeyPatch) -> None:
    """What they compute is tested where there is a GPU; here, how often one is started."""
    started = 0

    def kernel(*_: object) -> cuda_kernels.Kernel:
        def start(
            *, output_shapes: list[tuple[int, ...]], output_dtypes: list[mx.Dtype], **_: object
        ) -> list[mx.array]:
            nonlocal started
            started += 1
            return list(map(mx.zeros, output_shapes, output_dtypes))

        return start

    monkeypatch.setattr(cuda_kernels, "_kernel", kernel)
    monkeypatch.setattr(cuda_kernels, "_product_kernel", kernel)
    ours, rows = _begun(3)
    rules = TokenRules(ours.vocabulary)
    CudaDecoder(ours.model, rules).greedy_step(rows.scalars, rows.own, rows.cross)
    assert started == 3 * 8 + 3  # to embed, the vocabulary's product, and the rules
