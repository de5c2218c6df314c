"""CUDA kernels, compiled at run time by `mx.fast.cuda_kernel`: a greedy decode step, the encoder's.

A step of MLX's own operations launches about twenty small kernels a layer, and each matrix product
costs the host 20 µs whatever its size, so that few rows wait for launches. Here a layer is eight
kernels: layer norm, product, bias, GELU and residual in one, and attention with its cache in one.
`Whisper` computes the same with MLX's operations, on every device; a test holds both equal.

All arrays are float16 unless said otherwise; sums are float32.
Shapes: m rows, d width, h heads of 64, a positions of the audio, c of the text's cache.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import cast

import mlx.core as mx
from mlx import nn

from daemon.asr.mlx_backend.whisper import KeysValues

HEAD_SIZE = 64
_MULTIPROCESSORS = 132

Kernel = Callable[..., list[mx.array]]

_SOURCES = Path(__file__).parent / "cuda"  # NAME.cu: a kernel's body; NAME.cuh: what it calls
_HEADERS = {
    "add_norm": "add_norm",
    "self_attention": "attention",
    "cross_attention": "attention",
    "rules": "rules",
}


@cache
def _kernel(name: str, inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Kernel:
    header = _HEADERS.get(name)
    kernel = mx.fast.cuda_kernel(
        name=f"whisper_{name}",
        input_names=list(inputs),
        output_names=list(outputs),
        header=(_SOURCES / f"{header}.cuh").read_text(encoding="utf-8") if header else "",
        source=(_SOURCES / f"{name}.cu").read_text(encoding="utf-8"),
    )
    return cast(Kernel, kernel)


@cache
def _product_kernel(inputs: tuple[str, ...]) -> Kernel:
    """A product whose norm and residual are there or not."""
    norm, residual = "gain" in inputs, "residual" in inputs
    source = f"""
  product<K, B, WARPS, R, U, {str(norm).lower()}, GELU, {str(residual).lower()}, BIAS>(
      x, w, bias, {"gain, shift" if norm else "nullptr, nullptr"},
      {"residual" if residual else "nullptr"}, out, x_shape[0], w_shape[0]);
"""
    kernel = mx.fast.cuda_kernel(
        name="whisper_" + "_".join(inputs),
        input_names=list(inputs),
        output_names=["out"],
        header=(_SOURCES / "product.cuh").read_text(encoding="utf-8"),
        source=source,
    )
    return cast(Kernel, kernel)


def _shape(size: int, norm: bool) -> tuple[int, int, int]:
    """Of a block: tiles of 16 columns, most warps, and most steps loaded at once.

    Measured on an H200 with 1 and 24 rows. A block of all three at their most needs the registers
    of a multiprocessor: it is for products with fewer blocks than there are multiprocessors.
    """
    if size < 2000:
        return 1, 8 if norm else 16, 5
    if not norm:
        return 2, 4, 2
    return 2, 8, 5 if size <= 32 * _MULTIPROCESSORS else 1


def product(
    x: mx.array,
    weight: mx.array,
    bias: mx.array | None,
    *,
    norm: tuple[mx.array, mx.array] | None = None,
    residual: mx.array | None = None,
    gelu: bool = False,
    dtype: mx.Dtype = mx.float16,
) -> mx.array:
    """(m, K) and (N, K) → f(norm(x) @ weight.T + bias) + residual, (m, N).

    `norm`: the gain and shift of a layer norm before it. Not both a norm and a residual.
    """
    rows, width = x.shape
    size = weight.shape[0]
    groups = 1 if rows <= 8 else 3  # few variants: each is compiled at its first use
    tiles, most, unrolled = _shape(size, norm is not None)
    warps = max(w for w in (1, 2, 4, 8, most) if width % (32 * w) == 0 and width // w >= 64)
    unrolled = max(u for u in range(1, unrolled + 1) if width // warps // 32 % u == 0)
    inputs = {"x": x, "w": weight, "bias": weight if bias is None else bias}
    if norm is not None:
        inputs |= {"gain": norm[0], "shift": norm[1]}
    elif residual is not None:
        inputs["residual"] = residual
    (out,) = _product_kernel(tuple(inputs))(
        inputs=list(inputs.values()),
        template=[
            ("K", width),
            ("B", groups),
            ("WARPS", warps),
            ("R", tiles),
            ("U", unrolled),
            ("GELU", gelu),
            ("BIAS", bias is not None),
        ],
        grid=(-(-size // (16 * tiles)) * 32 * warps, -(-rows // (8 * groups)), 1),
        threadgroup=(32 * warps, 1, 1),
        output_shapes=[(rows, size)],
        output_dtypes=[dtype],
    )
    return out


def self_attention(qkv: mx.array, cache: mx.array, position: mx.array, heads: int) -> mx.array:
    """One token of each row, (m, 3d), over the text before it and itself: (m, d).

    Writes its keys and values into `cache` (m, 2h, c, 64) at `position` (m,) int32, **in place**.
    """
    (out,) = _kernel("self_attention", ("qkv", "cache", "position"), ("out",))(
        inputs=[qkv, cache, position],
        template=[("HEADS", heads)],
        grid=(heads * 128, qkv.shape[0], 1),
        threadgroup=(128, 1, 1),
        output_shapes=[(qkv.shape[0], heads * HEAD_SIZE)],
        output_dtypes=[mx.float16],
    )
    return out


def cross_attention(q: mx.array, cross: KeysValues, heads: int) -> mx.array:
    """Queries (m, d) over the audio's keys and values (m, h, a, 64): (m, d)."""
    rows = q.shape[0]
    threads = 256
    splits = 1 if rows * heads > 160 else 6
    out, _ = _kernel("cross_attention", ("x", "k", "v", "arrivals"), ("out", "partials"))(
        inputs=[q, *cross, _arrivals()],
        template=[
            ("HEADS", heads),
            ("THREADS", threads),
            ("SPLITS", splits),
            ("MOST", -(-1500 // splits)),
        ],
        grid=(heads * threads, rows, splits),
        threadgroup=(threads, 1, 1),
        output_shapes=[q.shape, (rows, heads, splits, 66)],
        output_dtypes=[mx.float16, mx.float32],
    )
    return out


@cache
def _arrivals() -> mx.array:
    """Counters of finished blocks, which every kernel leaves at zero; for at most 4096 heads."""
    counters = mx.zeros((4096,), mx.uint32)
    mx.eval(counters)
    return counters


def embed(
    tokens: mx.array, position: mx.array, embedding: mx.array, positions: mx.array
) -> mx.array:
    """Tokens (m,) at `position` (m,) → (m, d)."""
    rows, width = tokens.shape[0], embedding.shape[1]
    (out,) = _kernel("embed", ("tokens", "position", "embedding", "positions"), ("out",))(
        inputs=[tokens, position, embedding, positions],
        template=[("D", width)],
        grid=(rows * 128, 1, 1),
        threadgroup=(128, 1, 1),
        output_shapes=[(rows, width)],
        output_dtypes=[mx.float16],
    )
    return out


def gelu(x: mx.array) -> mx.array:
    """x Φ(x) of whole windows; their size is a multiple of 8."""
    (out,) = _kernel("gelu", ("x",), ("out",))(
        inputs=[x.reshape(-1)],
        grid=(-(-x.size // (8 * 256)) * 256, 1, 1),
        threadgroup=(256, 1, 1),
        output_shapes=[x.shape],
        output_dtypes=[mx.float16],
    )
    return out


def add_norm(x: mx.array, y: mx.array, norm: nn.LayerNorm) -> tuple[mx.array, mx.array]:
    """x + y, (…, d), and its layer norm. d is a multiple of 8."""
    width = x.shape[-1]
    threads = -(-width // (8 * 32)) * 32
    total, normed = _kernel("add_norm", ("x", "y", "gain", "shift"), ("sum", "normed"))(
        inputs=[x, y, norm.weight, norm.bias],
        template=[("D", width)],
        grid=(x.size // width * threads, 1, 1),
        threadgroup=(threads, 1, 1),
        output_shapes=[x.shape, x.shape],
        output_dtypes=[mx.float16, mx.float16],
    )
    return total, normed


def next_tokens(
    logits: mx.array, allowed: mx.array, scalars: dict[str, mx.array], begin: int, eot: int
) -> dict[str, mx.array]:
    """`TokenRules.next`, its greedy choice and the bookkeeping of `Rows.scalars`, in one kernel.

    Logits (m, vocabulary) float32; `allowed` (first timestamp,) bool says which text may come.
    """
    rows, size = logits.shape
    given = ("last", "before", "stamps", "position", "limit", "done", "logprob")
    changed = {
        "last": mx.int32,
        "stamp": mx.int32,
        "position": mx.int32,
        "logprob": mx.float32,
        "done": mx.bool_,
    }
    kernel = _kernel(
        "rules", ("logits", "allowed", *given), tuple(f"new_{name}" for name in changed)
    )
    out = kernel(
        inputs=[logits, allowed, *(scalars[name.removesuffix("s")] for name in given)],
        template=[("V", size), ("BEGIN", begin), ("EOT", eot)],
        grid=(rows * 1024, 1, 1),
        threadgroup=(1024, 1, 1),
        output_shapes=[(rows,)] * len(changed),
        output_dtypes=list(changed.values()),
    )
    return {"before": scalars["last"], **dict(zip(changed, out, strict=True))}
