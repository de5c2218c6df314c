"""Attention over a whole window on a CPU, in numpy.

MLX takes 20 ns for an exponential there, numpy less than one: of the 30 s that the encoder hears,
every layer takes 18 million. It halves the time of the encoder's attention.
"""

from __future__ import annotations

import math

import mlx.core as mx
import numpy as np

_LONG = 256  # queries; below, leaving MLX's graph costs more than it saves


def pays(q: mx.array, mask: mx.array | str | None) -> bool:
    """Whether `attend` is for these queries, (b, h, t, e)."""
    if mask is not None or q.shape[2] < _LONG:
        return False
    return mx.default_device() == mx.cpu and q.dtype == mx.float32


def attend(q: mx.array, k: mx.array, v: mx.array) -> mx.array:
    """softmax(q kᵀ / √e) v, all (b, h, positions, e), float32. Evaluates its arguments."""
    q = q / math.sqrt(q.shape[-1])
    mx.eval(q, k, v)
    queries, keys, values = (np.array(array, copy=False) for array in (q, k, v))
    out = np.empty(queries.shape, np.float32)
    for head in np.ndindex(queries.shape[:2]):
        weights = queries[head] @ keys[head].T
        weights -= weights.max(axis=-1, keepdims=True)
        np.exp(weights, out=weights)
        out[head] = weights @ values[head] / weights.sum(axis=-1, keepdims=True)
    return mx.array(out)
