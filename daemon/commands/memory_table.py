"""The table of `dropscribe models plan`: rows decoded at once and the peak of memory, by machine.

For this machine by what the system says now; the engine asks its device as well. For Macs by their
memory alone, with the working set that Metal recommends and nothing else running.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import psutil

from daemon.config.default_model import default_model
from daemon.domain.transcript import Json
from daemon.models.hardware import Backend
from daemon.models.memory import ALIGNER_BYTES, PRESET_SIZES, PresetSize, plan, working_set_of

MACS = (8, 16, 24, 32, 36, 48, 64, 96, 128)  # GB, as Apple counts them
_GIB = 1 << 30


def rows(backend: Backend, macs: Sequence[int] = MACS) -> list[Json]:
    """A row for each machine, model and width of the decoder's weights; this machine's first."""
    memory = psutil.virtual_memory()
    device = backend.device if backend.name == "mlx" else "cpu"
    working_set = working_set_of(memory.total) if device == "metal" else memory.total
    here = _machine("this machine", memory.total, device, working_set, memory.available)
    return [
        *here,
        *(
            row
            for gib in macs
            for row in _machine(f"{gib} GB", gib * _GIB, "metal", working_set_of(gib * _GIB), None)
        ),
    ]


def _machine(name: str, memory: int, device: str, working_set: int, free: int | None) -> list[Json]:
    return [
        _row(name, memory, device, working_set, free, model, bits)
        for model in PRESET_SIZES
        for bits in (16, 8)
    ]


def _row(
    name: str,
    memory: int,
    device: str,
    working_set: int,
    free: int | None,
    model: str,
    bits: int,
) -> Json:
    size = PRESET_SIZES[model]
    weights = _weights(size, bits)
    item = 4 if device == "cpu" else 2
    found = plan(size, weights * item // 2, item, device, working_set, free)
    return {
        "machine": name,
        "device": device,
        "model": model,
        "decoder_bits": bits,
        "default": bits == 16 and model == default_model(memory),
        "rows": found.rows,
        "encoded": found.encoded,
        "weights_gb": round(weights * item / 2 / 1e9, 2),
        "peak_gb": round(found.peak / 1e9, 1),
        "working_set_gb": round(working_set / 1e9, 1),
        "fits": found.peak + ALIGNER_BYTES <= min(working_set, free or working_set),
    }


def _weights(size: PresetSize, bits: int) -> int:
    """8 bits, and 16 for a scale and a bias each for 64 numbers."""
    saved = size.decoder * (16 - bits - 0.5) / 16 if bits < 16 else 0
    return math.ceil(size.weights - saved)


def text(table: Sequence[Json]) -> str:
    """For a person; * is the default of that machine, ! is more than fits it well."""
    head = f"  {'':<13} {'model':<15} {'decoder':>8} {'rows':>5} {'peak':>8} {'of':>8}"
    lines = [
        f"{'*' if row['default'] else ' '}{' ' if row['fits'] else '!'}"
        f"{row['machine']:<13} {row['model']:<15} {row['decoder_bits']:>3} bits"
        f" {row['rows']:>5} {row['peak_gb']:>5.1f} GB {row['working_set_gb']:>5.1f} GB"
        for row in table
    ]
    notes = "* default of that machine   ! more than fits it beside an aligner: expect swapping"
    return "\n".join([head, *lines, "", notes])
