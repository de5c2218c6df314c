"""How near the engine is to what the device can do: bandwidth for a step, FLOP/s to encode."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import mlx.core as mx
from mlx.utils import tree_flatten

from daemon.asr.checkpoint import Dimensions
from daemon.asr.mlx_backend import cpu_kernels
from daemon.asr.mlx_backend.log_mel import log_mel
from daemon.asr.mlx_backend.rows import Rows
from daemon.asr.mlx_backend.whisper import Whisper
from daemon.bench.graph import kernels, primitives
from daemon.bench.measurement import Measurement
from daemon.bench.random_models import Ours, noise

_ROWS = (1, 4, 8, 16, 24, 69)
_STEPS = 40  # timed after the first ones have been compiled


def limits(name: str, ours: Ours) -> list[Measurement]:
    """Decode steps at several batch sizes and encoder passes, each with its share of the limit."""
    bandwidth, flops = _bandwidth(), _flops(ours.model.dtype)
    most = ours.size.rows
    rows = sorted({count for count in _ROWS if count <= most} | {most})
    steps = [_step(name, ours, count, bandwidth) for count in rows]
    windows = sorted({1, ours.size.encoded})
    return steps + [_encode(name, ours, count, flops) for count in windows]


def _step(name: str, ours: Ours, rows: int, bandwidth: float) -> Measurement:
    size = ours.model.dimensions
    heard = mx.random.normal((rows, size.n_audio_ctx, size.n_audio_state)).astype(ours.model.dtype)
    cross = ours.model.decoder.keys_values(heard)
    prompts = [ours.vocabulary.prompt("en", None)] * rows
    begun = ours.engine.begin(cross, prompts, [0.0] * rows, [(0, 0)] * rows)

    def run(steps: int) -> None:
        for _ in range(steps):
            ours.engine.step(begun, sample=False)
            mx.async_eval(begun.scalars["last"])  # type: ignore[no-untyped-call]
        mx.eval(begun.scalars)

    run(8)
    counted = _primitives(ours, begun)
    seconds = _timed(lambda: run(_STEPS)) / _STEPS
    read = _decoder_bytes(ours.model) + _array_bytes(begun)
    return Measurement(
        f"a decode step, {name} size",
        f"{rows} rows",
        (seconds,),
        {
            "GB read": round(read / 1e9, 2),
            "bound ms": round(read / bandwidth * 1e3, 2),
            "primitives": counted.total(),
            "kernels": kernels(counted),
            "of the bandwidth": f"{read / seconds / bandwidth:.0%} of {bandwidth / 1e9:.0f} GB/s",
        },
    )


def _encode(name: str, ours: Ours, windows: int, peak: float) -> Measurement:
    mel = log_mel([noise(30)] * windows, ours.model.dimensions.n_mels).astype(ours.model.dtype)
    encode = mx.compile(ours.model.encoder)
    mx.eval(encode(mel))
    seconds = min(_timed(lambda: mx.eval(encode(mel))) for _ in range(3)) / windows
    speed = _encoder_flops(ours.model.dimensions) / seconds
    return Measurement(
        f"a 30 s window through the encoder, {name} size",
        f"{windows} at once",
        (seconds,),
        {
            "TFLOP/s": round(speed / 1e12, 2),
            "of the peak": f"{speed / peak:.0%} of {peak / 1e12:.1f} TFLOP/s",
        },
    )


def _bandwidth() -> float:
    """Bytes a second that a kernel reads and writes."""
    array = mx.zeros((1 << 27,), mx.float32)
    mx.eval(array + 1)
    seconds = min(_timed(lambda: mx.eval(array + 1)) for _ in range(5))
    return 2 * array.nbytes / seconds


def _flops(dtype: mx.Dtype) -> float:
    """FLOP/s of a large matrix product."""
    side = 1024 if mx.default_device() == mx.cpu else 8192
    matrix = mx.random.normal((side, side)).astype(dtype)
    mx.eval(matrix @ matrix)
    return 2 * side**3 / min(_timed(lambda: mx.eval(matrix @ matrix)) for _ in range(5))


def _encoder_flops(size: Dimensions) -> float:
    """Multiplications and additions of matrix products: two convolutions, then the blocks."""
    width, positions = size.n_audio_state, size.n_audio_ctx
    convolutions = 2 * 3 * width * (2 * positions * size.n_mels + positions * width)
    block = 2 * positions * 12 * width**2 + 4 * positions**2 * width
    return convolutions + size.n_audio_layer * block


def _decoder_bytes(model: Whisper) -> int:
    return sum(array.nbytes for _, array in tree_flatten(model.decoder.parameters()))


def _array_bytes(rows: Rows) -> int:
    return sum(array.nbytes for pair in [rows.own, *rows.cross] for array in pair)


def _primitives(ours: Ours, rows: Rows) -> Counter[str]:
    """What one step of `rows`, all of whose arrays are there, is made of."""
    mx.eval(rows.scalars, rows.own)
    after = Rows(rows.scalars, rows.own, rows.cross)
    with cpu_kernels.left_out():
        ours.engine.step(after, sample=False)
    return primitives([*after.scalars.values(), *after.own])


def _timed(run: Callable[[], object]) -> float:
    mx.synchronize()
    start = time.perf_counter()
    run()
    mx.synchronize()
    return time.perf_counter() - start
