"""The MLX engine beside stock mlx_whisper, on random weights. Run as a child of the benchmark."""

from __future__ import annotations

import argparse
from dataclasses import replace

import mlx.core as mx

from daemon.asr.checkpoint import Dimensions
from daemon.asr.mlx_backend.attempts import BatchSize
from daemon.asr.mlx_backend.recognizer import CACHE_BYTES
from daemon.bench.limits import limits
from daemon.bench.measurement import Measurement, System, paired, report
from daemon.bench.random_models import SIZES, Ours, Stock, noise

_CLIP_TOKENS = 34  # what 10 s of speech hold
_ONE = BatchSize(rows=1, encoded=1)


def throughput(name: str, size: Dimensions, rounds: int) -> list[Measurement]:
    """Seconds for a 30 s window: a full batch of ours, one window of ours, one of stock."""
    ours, theirs, samples = Ours(size), Stock(size), noise(30)
    count = 2 * ours.size.rows
    systems = {
        "dropscribe": System(lambda: ours.windows(samples, count, ours.size), count),
        "dropscribe, one window at a time": System(lambda: ours.windows(samples, 1, _ONE)),
        "mlx_whisper": System(lambda: theirs.window(samples)),
    }
    return paired(f"a 30 s window, {name} size, 100 tokens", systems, rounds)


def clip(name: str, size: Dimensions, rounds: int) -> list[Measurement]:
    """Seconds for one clip of 10 s."""
    short = replace(size, n_text_ctx=2 * _CLIP_TOKENS)
    ours, theirs, samples = Ours(short), Stock(short), noise(10)
    systems = {
        "dropscribe": System(lambda: ours.windows(samples, 1, _ONE)),
        "mlx_whisper": System(lambda: theirs.window(samples)),
    }
    return paired(f"one 10 s clip, {name} size, {_CLIP_TOKENS} tokens", systems, rounds)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--sizes", default="large-v3,large-v3-turbo")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    mx.set_cache_limit(CACHE_BYTES)
    for name in arguments.sizes.split(","):
        report(clip(name, SIZES[name], arguments.rounds))
        report(throughput(name, SIZES[name], arguments.rounds))
        report(limits(name, Ours(SIZES[name])))
        mx.clear_cache()


if __name__ == "__main__":
    main()
