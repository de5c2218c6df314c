"""What is computed in numpy on a CPU is what MLX computes there."""

from __future__ import annotations

import mlx.core as mx
import numpy as np
import pytest
from mlx import nn
from threadpoolctl import threadpool_info

from daemon.asr.mlx_backend import cpu_kernels

pytestmark = pytest.mark.skipif(mx.default_device() != mx.cpu, reason="for MLX on a CPU")


@pytest.mark.parametrize("queries", [1, 3, 300, 1200])
def test_attention_is_mlxs(queries: int) -> None:
    q = mx.random.normal((2, 3, queries, 8))
    k, v = mx.random.normal((2, 3, 300, 8)), mx.random.normal((2, 3, 300, 8))
    theirs = mx.fast.scaled_dot_product_attention(q, k, v, scale=8**-0.5)
    np.testing.assert_allclose(cpu_kernels.attend(q, k, v), theirs, rtol=1e-4, atol=1e-5)


def test_a_gelu_is_mlxs_in_every_block_and_far_from_zero() -> None:
    x = mx.random.normal((3, 50_001)) * 6
    x[0, :4] = mx.array([0.0, -40.0, 40.0, -0.0])
    np.testing.assert_allclose(cpu_kernels.gelu(x), nn.gelu(x), rtol=1e-5, atol=1e-6)


def test_a_product_with_many_outputs_is_mlxs() -> None:
    x, weight = mx.random.normal((2, 5, 16)), mx.random.normal((20_000, 16))
    np.testing.assert_allclose(cpu_kernels.product(x, weight), x @ weight.T, rtol=1e-4, atol=1e-5)


def test_a_sum_of_exponentials_may_be_large_or_empty() -> None:
    x = mx.random.normal((3, 1000))
    x[1] = -mx.inf
    x[2, ::2] = 500.0
    np.testing.assert_allclose(cpu_kernels.logsumexp(x), mx.logsumexp(x, axis=-1), rtol=1e-5)


def test_they_are_left_out_where_a_graph_is_counted() -> None:
    x = mx.zeros((2,))
    assert cpu_kernels.pays(x)
    with cpu_kernels.left_out():
        assert not cpu_kernels.pays(x)
    assert cpu_kernels.pays(x)
    assert not cpu_kernels.pays(x.astype(mx.float16))


def test_blas_has_its_threads_back_afterwards() -> None:
    def threads() -> list[int]:
        blas = (library for library in threadpool_info() if library["internal_api"] == "openblas")
        return [library["num_threads"] for library in blas]

    before = threads()
    with cpu_kernels.single_threaded_blas():
        assert set(threads()) == {1}
        with cpu_kernels.all_cores():
            assert set(threads()) == {1}, "numpy's are bound there, too"
    assert threads() == before
