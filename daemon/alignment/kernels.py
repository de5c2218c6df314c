"""What a network is made of, in numpy on one core: in place, and in pieces that stay in its cache.

The matrix products are BLAS's; the rest is written so that few passes over the numbers are needed.
"""

from __future__ import annotations

import threading

import numpy as np

from daemon.audio import FloatArray

_PIECE = 1 << 16  # values: with as much twice for what is computed on the way
_QUERIES = 256  # frames whose attention is computed together

# 1 - erf(z / √2) ≈ 1 / (1 + c₁z + … + c₅z⁵)³², after Abramowitz and Stegun's formula 7.1.28, fitted
# so that the GELU's error is smallest: 2e-7.
_TAIL = tuple(  # as arrays, which numpy takes faster than its scalars
    np.array(value, np.float32)
    for value in (1.98656609e-05, -8.00294762e-05, 0.00139052058, 0.0102583486, 0.0249334962)
)
_ONE, _HALF = np.array(1, np.float32), np.array(0.5, np.float32)


class _Scratch(threading.local):
    """Room for what is computed on the way, a thread's own."""

    def __init__(self) -> None:
        self.size = np.empty(_PIECE, np.float32)
        self.power = np.empty(_PIECE, np.float32)


_scratch = _Scratch()


def gelu(rows: FloatArray) -> FloatArray:
    """x Φ(x) in place, for a contiguous array of any shape."""
    flat = rows.reshape(-1)
    pieces = -(-flat.size // _PIECE)
    with np.errstate(over="ignore"):  # what is divided by infinity is zero, as it should be
        for piece in range(pieces):  # of one size: small ones cost numpy as many calls
            _gelu(flat[flat.size * piece // pieces : flat.size * (piece + 1) // pieces])
    return rows


def _gelu(x: FloatArray) -> None:
    """x Φ(x) = (x + |x| - |x| (1 - erf(|x| / √2))) / 2."""
    size = np.abs(x, out=_scratch.size[: x.size])
    power = np.multiply(size, _TAIL[0], out=_scratch.power[: x.size])
    for coefficient in _TAIL[1:]:
        np.add(power, coefficient, power)
        np.multiply(power, size, power)
    np.add(power, _ONE, power)
    for _ in range(5):
        np.square(power, power)
    np.divide(size, power, power)
    np.add(x, size, x)
    np.subtract(x, power, x)
    np.multiply(x, _HALF, x)


def layer_norm(
    rows: FloatArray, weight: FloatArray, bias: FloatArray, epsilon: float
) -> FloatArray:
    """Over the channels of (rows, channels), in place."""
    rows -= rows.mean(axis=1, keepdims=True)
    variance = np.einsum("rc,rc->r", rows, rows) / np.float32(rows.shape[1])
    variance += np.float32(epsilon)
    rows *= np.reciprocal(np.sqrt(variance))[:, None]
    rows *= weight
    rows += bias
    return rows


def linear(rows: FloatArray, weight: FloatArray, bias: FloatArray) -> FloatArray:
    """(rows, in), (out, in) and (out,) → (rows, out)."""
    product: FloatArray = rows @ weight.T
    product += bias
    return product


def attend(query: FloatArray, key: FloatArray, value: FloatArray, out: FloatArray) -> None:
    """softmax(query keyᵀ) value into `out`: all (frames, width of a head), the query scaled."""
    for first in range(0, len(query), _QUERIES):
        part = slice(first, first + _QUERIES)
        weights = query[part] @ key.T
        weights -= weights.max(axis=1, keepdims=True)
        np.exp(weights, out=weights)
        total = weights.sum(axis=1, keepdims=True)
        np.divide(weights @ value, total, out=out[part])


def log_softmax(rows: FloatArray) -> FloatArray:
    """Over the last axis, in place."""
    rows -= rows.max(axis=1, keepdims=True)
    rows -= np.log(np.exp(rows).sum(axis=1, keepdims=True))
    return rows
