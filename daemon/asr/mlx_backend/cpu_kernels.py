"""What MLX computes slowly on a CPU, in numpy: outside of its graph, and on all cores.

MLX has one thread there. A GELU takes it 49 ns a value, here 10; an exponential 20 ns, here 4: of
the 30 s that the encoder hears, every layer takes 18 million. (CPU time of one busy core.) The
threads are our own, and BLAS gets none in a decode step (`single_threaded_blas`): it has its
threads spin at each of many small products, which takes up to five times the CPU time.
"""

from __future__ import annotations

import ctypes
import math
import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache

import mlx.core as mx
import numpy as np

from daemon.audio import FloatArray

_LONG = 256  # queries; fewer are not worth another thread
_QUERIES = 500  # that a thread takes at a time: fewer multiply slower, more leave its cache
_BLOCK = 1 << 15  # values that a thread takes at a time: they stay in its cache
_MANY = 1 << 18  # values; for fewer, leaving MLX's graph costs more than it saves
_COLUMNS = 1 << 13  # outputs of a large product that a thread computes at a time

# erf by Abramowitz and Stegun's formula 7.1.26, its error below 1.5e-7, halved for the GELU.
_SCALE = np.float32(0.3275911 / math.sqrt(2))
_COEFFICIENTS = tuple(
    np.float32(value / 2)
    for value in (1.061405429, -1.453152027, 1.421413741, -0.284496736, 0.254829592)
)

_left_out = False


@contextmanager
def left_out() -> Iterator[None]:
    """MLX's own operations in their place: for a graph that is counted, or compared."""
    global _left_out  # noqa: PLW0603 - what Whisper's modules ask has no other home
    before, _left_out = _left_out, True
    try:
        yield
    finally:
        _left_out = before


def pays(x: mx.array) -> bool:
    """Whether this device is better off with what is computed here."""
    return not _left_out and mx.default_device() == mx.cpu and x.dtype == mx.float32


def gelu_pays(x: mx.array) -> bool:
    return x.size >= _MANY and pays(x)


@contextmanager
def single_threaded_blas() -> Iterator[None]:
    """Within it, matrix products run on the thread that asks, but those in `all_cores`."""
    if mx.default_device() != mx.cpu:
        yield
        return
    from threadpoolctl import ThreadpoolController  # noqa: PLC0415 - nowhere but on a CPU

    _mkl_default()
    numpys = ThreadpoolController().select(internal_api="openblas")
    with numpys.limit(limits=1), _mkl_threads(1):
        yield


def all_cores() -> AbstractContextManager[None]:
    """Within it, MLX's matrix products have MKL's threads, if it was MKL's: for large ones."""
    return _mkl_threads(_mkl_default()) if mx.default_device() == mx.cpu else nullcontext()


@cache
def _mkl_default() -> int:
    """How many threads MKL has before it is bound here; 0 where MLX does not multiply by it."""
    process = ctypes.CDLL(None)
    return process.MKL_Get_Max_Threads() if hasattr(process, "MKL_Get_Max_Threads") else 0


@contextmanager
def _mkl_threads(count: int) -> Iterator[None]:
    """For MLX, which multiplies by MKL where that was preloaded, on a thread of its own."""
    if not _mkl_default():
        yield
        return
    process = ctypes.CDLL(None)
    before = process.MKL_Get_Max_Threads()
    process.MKL_Set_Num_Threads(count)
    try:
        yield
    finally:
        process.MKL_Set_Num_Threads(before)


def attend(q: mx.array, k: mx.array, v: mx.array) -> mx.array:
    """softmax(q kᵀ / √e) v, all (b, h, positions, e), float32. Evaluates its arguments."""
    queries, keys, values = _evaluated(q / math.sqrt(q.shape[-1]), k, v)
    out = np.empty(queries.shape, np.float32)
    if queries.shape[2] < _LONG:

        def attend_in(rows: slice) -> None:
            out[rows] = _attended(queries[rows], keys[rows], values[rows])

        in_parts(len(queries), attend_in)
        return mx.array(out)

    def attend_from(place: tuple[int, ...]) -> None:
        row, head, number = place
        block = slice(number * _QUERIES, (number + 1) * _QUERIES)
        out[row, head, block] = _attended(
            queries[row, head, block], keys[row, head], values[row, head]
        )

    blocks = -(-queries.shape[2] // _QUERIES)
    list(_threads().map(attend_from, np.ndindex((*queries.shape[:2], blocks))))
    return mx.array(out)


def _attended(queries: FloatArray, keys: FloatArray, values: FloatArray) -> FloatArray:
    weights = queries @ keys.swapaxes(-1, -2)
    weights -= weights.max(axis=-1, keepdims=True)
    np.exp(weights, out=weights)
    attended: FloatArray = weights @ values / weights.sum(axis=-1, keepdims=True)
    return attended


def gelu(x: mx.array) -> mx.array:
    """x Φ(x), any shape, float32, exact to 1e-6. Evaluates its argument."""
    (values,) = _evaluated(x)
    flat = values.reshape(-1)
    out = np.empty_like(flat)

    def compute(first: int) -> None:
        part = slice(first, first + _BLOCK)
        _gelu(flat[part], out[part])

    list(_threads().map(compute, range(0, flat.size, _BLOCK)))
    return mx.array(out.reshape(values.shape))


def _gelu(x: FloatArray, out: FloatArray) -> None:
    """max(x, 0) - |x| Φ(-|x|), in place: no array is made that a step does not need."""
    size = np.abs(x, out=out)
    t = size * _SCALE
    t += np.float32(1)
    np.reciprocal(t, out=t)
    tail = t * _COEFFICIENTS[0]
    for coefficient in _COEFFICIENTS[1:]:
        tail += coefficient
        tail *= t
    np.multiply(x, x, out=t)
    t *= np.float32(-0.5)
    tail *= np.exp(t, out=t)
    tail *= size
    np.maximum(x, np.float32(0), out=out)
    out -= tail


def product(x: mx.array, weight: mx.array) -> mx.array:
    """x weightᵀ: (…, in) and (out, in) → (…, out), for few rows of `x` and a large `weight`.

    A row's result does not depend on how many there are. Evaluates its arguments.
    """
    rows, columns = _evaluated(x.reshape(-1, x.shape[-1]), weight)
    # A single column goes another way through BLAS, which rounds otherwise.
    filled = np.repeat(rows, 2, axis=0) if len(rows) == 1 else rows
    out = np.empty((len(columns), len(filled)), np.float32)

    def multiply(first: int) -> None:
        part = slice(first, first + _COLUMNS)
        np.matmul(columns[part], filled.T, out=out[part])

    list(_threads().map(multiply, range(0, len(columns), _COLUMNS)))
    return mx.array(out[:, : len(rows)].T.reshape(*x.shape[:-1], -1))


def logsumexp(x: mx.array) -> mx.array:
    """Over the last axis; -inf where all of it is. Evaluates its argument."""
    (values,) = _evaluated(x)
    top = values.max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, np.float32(0))
    with np.errstate(divide="ignore"):  # the logarithm of zero
        return mx.array((np.log(np.exp(values - top).sum(axis=-1, keepdims=True)) + top)[..., 0])


def log_sum(values: FloatArray) -> np.float32:
    """The logarithm of the sum of their exponentials; -inf where all of them are."""
    top: np.float32 = values.max()
    if not np.isfinite(top):
        return top
    total: np.float32 = top + np.log(np.exp(values - top).sum())
    return total


def in_parts(rows: int, compute: Callable[[slice], None]) -> None:
    """Have all cores compute `rows` rows, a part of them each."""
    step = -(-rows // (os.cpu_count() or 1))
    parts = [slice(first, first + step) for first in range(0, rows, step)]
    if len(parts) == 1:
        compute(parts[0])
    else:
        list(_threads().map(compute, parts))


def _evaluated(*arrays: mx.array) -> list[FloatArray]:
    """Views of what MLX has computed."""
    mx.eval(*arrays)
    return [np.array(array, copy=False) for array in arrays]


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(os.cpu_count())
