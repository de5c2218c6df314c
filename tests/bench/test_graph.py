"""The primitives of a decode step: their number does not depend on the machine's speed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import mlx.core as mx

from daemon.asr.mlx_backend import cpu_kernels
from daemon.asr.mlx_backend.attempts import BatchSize
from daemon.bench.graph import kernels, primitives
from daemon.bench.random_models import SIZES, Ours, noise

# On a CPU a layer norm and an attention are several primitives; on a GPU each is one.
_MOST_KERNELS_A_LAYER = 35
_MOST_KERNELS_BESIDE = 30


def test_every_window_of_noise_is_decoded_to_its_last_token() -> None:
    ours = Ours(replace(SIZES["tiny"], n_audio_layer=1, n_text_ctx=20))
    assert ours.windows(noise(1), 3, BatchSize(rows=2, encoded=2))["tokens"] == 10


def _step(layers: int) -> Counter[str]:
    ours = Ours(replace(SIZES["tiny"], n_audio_layer=1, n_text_layer=layers))
    heard = mx.random.normal((2, 1500, ours.model.dimensions.n_audio_state))
    cross = ours.model.decoder.keys_values(heard)
    prompts = [ours.vocabulary.prompt("en", None)] * 2
    rows = ours.engine.begin(cross, prompts, [0.0] * 2, [(0, 0)] * 2)
    mx.eval(rows.scalars, rows.own)
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
