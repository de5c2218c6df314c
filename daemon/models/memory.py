"""How much of a recording a machine can decode at once, by its memory. Pure: no GPU is asked here.

The engine asks with what its device and system say; `dropscribe models plan` with what they would
say on other machines.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

BATCH_DIVISOR = "DROPSCRIBE_BATCH_DIVISOR"  # in a transcriber's environment, after a GPU gave up

_GIB = 1 << 30
_SHARE = 0.7  # of what the device can use well is ours: on a Mac about half of its memory
_MOST_ROWS = {"metal": 32, "cuda": 128, "cpu": 8}  # more only costs memory
_MOST_ENCODED = {"metal": 8, "cuda": 24, "cpu": 1}
# Few are encoded at once where few rows fit: they need memory beside the rows.
_ROWS_PER_ENCODED = {"metal": 8, "cuda": 5, "cpu": 8}
ALIGNER_BYTES = 800_000_000  # what an aligner of 95 million weights takes beside the transcriber
_CACHE_BYTES = _GIB  # freed buffers that MLX keeps for the next step of the same file


class Dimensions(Protocol):
    """What of a Whisper model's sizes decides about memory, by OpenAI's names."""

    @property
    def n_audio_ctx(self) -> int: ...
    @property
    def n_audio_state(self) -> int: ...
    @property
    def n_audio_head(self) -> int: ...
    @property
    def n_text_ctx(self) -> int: ...
    @property
    def n_text_state(self) -> int: ...
    @property
    def n_text_layer(self) -> int: ...


@dataclass(frozen=True, slots=True)
class PresetSize:
    """A preset's sizes, and the bytes of its weights: in all, and of the decoder's products."""

    n_text_layer: int
    weights: int
    n_audio_ctx: int = 1500
    n_audio_state: int = 1280
    n_audio_head: int = 20
    n_text_ctx: int = 448
    n_text_state: int = 1280

    @property
    def decoder(self) -> int:
        """Sixteen squares of its width a layer, in fp16: attention, cross-attention, two more."""
        return 16 * self.n_text_state**2 * self.n_text_layer * 2


# Of fp16 weights, as published.
PRESET_SIZES: Mapping[str, PresetSize] = {
    "large-v3": PresetSize(32, 3_080_000_000),
    "large-v3-turbo": PresetSize(4, 1_620_000_000),
}


@dataclass(frozen=True, slots=True)
class Plan:
    """How many chunks are decoded together, how many of them are encoded at once, and the peak."""

    rows: int
    encoded: int
    peak: int  # bytes of the transcriber


def plan(
    dimensions: Dimensions,
    weights: int,
    item: int,
    device: str,
    working_set: int,
    free: int | None = None,
) -> Plan:
    """The batch that fits beside `weights` bytes, at least one row.

    `item` is the bytes of a number; `working_set` what the device can use well; `free` what the
    system has left for us, weights included, if that is known. An aligner needs some of it.
    """
    room = int(working_set * _SHARE)
    if free is not None:
        room = min(room, free - ALIGNER_BYTES)
    room -= weights
    row, window = row_bytes(dimensions, item), encoder_bytes(dimensions, item, device)
    encoded = _MOST_ENCODED[device]
    while True:
        # Finished rows are replaced in place; what replaces them lies beside them until then.
        fresh = encoded * (window + row)
        rows = max(1, min((room - fresh) // row, _MOST_ROWS[device]))
        if encoded == 1 or rows >= encoded * _ROWS_PER_ENCODED[device]:
            used = min(encoded, rows)
            peak = weights + rows * row + used * (window + row) + _CACHE_BYTES
            return Plan(rows, used, peak)
        encoded //= 2


def row_bytes(dimensions: Dimensions, item: int) -> int:
    """Keys and values of the audio, and of a transcript without a long prompt."""
    positions = dimensions.n_audio_ctx + dimensions.n_text_ctx // 2
    return 2 * dimensions.n_text_layer * dimensions.n_text_state * positions * item


def encoder_bytes(dimensions: Dimensions, item: int, device: str) -> int:
    """The widest activations of a window, and the attention scores where they are not fused."""
    activations = 12 * dimensions.n_audio_ctx * dimensions.n_audio_state
    scores = 2 * dimensions.n_audio_head * dimensions.n_audio_ctx**2
    return (activations + (scores if device == "cpu" else 0)) * item


def working_set_of(memory: int) -> int:
    """What Metal recommends as a working set on a Mac of that much memory, in bytes.

    Two thirds up to 32 GB, three quarters above, as Macs have been seen to answer
    (recommendedMaxWorkingSetSize); not verified here.
    """
    return memory * 2 // 3 if memory <= 32 * _GIB else memory * 3 // 4
