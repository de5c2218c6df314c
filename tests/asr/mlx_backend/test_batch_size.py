"""How many rows fit a Mac, from what Metal recommends as its working set."""

from __future__ import annotations

from dataclasses import replace

import mlx.core as mx
import pytest

from daemon.asr.mlx_backend import batch_size
from daemon.bench.random_models import SIZES

_LARGE, _TURBO = 3_090_000_000, 1_620_000_000  # bytes of fp16 weights


@pytest.mark.parametrize(
    ("working_set", "size", "weights", "rows"),
    [
        pytest.param(5.73e9, "large-v3", _LARGE, 2, id="8 GB"),
        pytest.param(11.45e9, "large-v3", _LARGE, 16, id="16 GB"),
        pytest.param(17.18e9, "large-v3", _LARGE, 29, id="24 GB"),
        pytest.param(28.99e9, "large-v3", _LARGE, 32, id="36 GB"),
        pytest.param(5.73e9, "large-v3-turbo", _TURBO, 32, id="8 GB, turbo"),
        pytest.param(0.0, "large-v3", _LARGE, 1, id="a row at least"),
    ],
)
def test_rows_follow_the_memory(
    working_set: float, size: str, weights: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_size, "device_name", lambda: "metal")
    monkeypatch.setattr(batch_size, "device_memory", lambda: int(working_set))
    fitting = batch_size.batch_size(replace(SIZES[size], n_text_ctx=448), weights, mx.float16)
    assert fitting.rows == rows
    assert 1 <= fitting.encoded <= fitting.rows
