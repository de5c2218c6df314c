"""What fits which Mac, with the memory of others stubbed in."""

from __future__ import annotations

import pytest

from daemon.models.memory import (
    ALIGNER_BYTES,
    PRESET_SIZES,
    plan,
    working_set_of,
)

_GIB, GB = 1 << 30, 1_000_000_000


def _rows(model: str, gib: int, free: int | None = None) -> int:
    size = PRESET_SIZES[model]
    return plan(size, size.weights, 2, "metal", working_set_of(gib * _GIB), free).rows


@pytest.mark.parametrize(
    ("model", "gib", "before", "rows"),
    [
        ("large-v3", 8, 1, 2),
        ("large-v3", 16, 4, 16),
        ("large-v3", 24, 9, 29),
        ("large-v3", 36, 18, 32),
        ("large-v3", 64, 32, 32),
        ("large-v3-turbo", 8, 10, 32),
        ("large-v3-turbo", 16, 32, 32),
    ],
)
def test_nothing_is_counted_twice(model: str, gib: int, before: int, rows: int) -> None:
    """`before` is what the same Macs were given while each row was counted twice."""
    assert _rows(model, gib) == rows >= before


def test_what_other_programs_hold_is_not_ours() -> None:
    weights = PRESET_SIZES["large-v3"].weights
    assert _rows("large-v3", 16, free=16 * GB) == _rows("large-v3", 16)
    half = _rows("large-v3", 16, free=weights + ALIGNER_BYTES + 2 * GB)
    assert 1 < half < _rows("large-v3", 16)
    assert _rows("large-v3", 16, free=1 * GB) == 1


def test_the_peak_stays_within_the_working_set_from_16_gb_up() -> None:
    size = PRESET_SIZES["large-v3"]
    for gib in (16, 24, 36, 64, 128):
        working_set = working_set_of(gib * _GIB)
        assert plan(size, size.weights, 2, "metal", working_set).peak < working_set
