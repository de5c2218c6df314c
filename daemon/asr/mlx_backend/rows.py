"""The transcripts that are being decoded together: one row each of a few arrays on the device."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import mlx.core as mx

from daemon.asr.mlx_backend.whisper import KeysValues

BLOCK = 64  # positions by which the text's keys and values grow


@dataclass(slots=True)
class Rows:
    """Every array's first axis is the row.

    `scalars` holds what the token rules and the bookkeeping need; `own` each layer's keys and
    values of the text, (b, 2h, capacity, e), and `cross` those of the audio, (b, h, 1500, e).
    """

    scalars: dict[str, mx.array]
    own: list[mx.array]
    cross: list[KeysValues]

    def __len__(self) -> int:
        return int(self.scalars["last"].shape[0])

    @property
    def capacity(self) -> int:
        """Positions that `own` has room for."""
        return int(self.own[0].shape[2])

    def grow(self, positions: int) -> None:
        """Make room for `positions`."""
        self.own = grown(self.own, positions)

    def take(self, index: Sequence[int]) -> Rows:
        """A copy of some rows."""
        at = mx.array(list(index))
        return self._map(lambda array: array[at])

    def put(self, index: Sequence[int], others: Rows) -> None:
        """Replace some rows by others, in place."""
        self.grow(others.capacity)
        others.grow(self.capacity)
        at = mx.array(list(index))
        for mine, theirs in zip(self._arrays(), others._arrays(), strict=True):
            mine[at] = theirs

    def join(self, others: Rows) -> Rows:
        """These rows, followed by `others`."""
        self.grow(others.capacity)
        others.grow(self.capacity)
        theirs = iter(others._arrays())
        return self._map(lambda array: mx.concatenate([array, next(theirs)]))

    def _arrays(self) -> list[mx.array]:
        heard = (array for pair in self.cross for array in pair)
        return [*self.scalars.values(), *self.own, *heard]

    def _map(self, change: Callable[[mx.array], mx.array]) -> Rows:
        return Rows(
            {name: change(array) for name, array in self.scalars.items()},
            [change(kv) for kv in self.own],
            [(change(k), change(v)) for k, v in self.cross],
        )


def grown(own: list[mx.array], positions: int) -> list[mx.array]:
    """The text's keys and values with room for `positions`."""
    capacity = own[0].shape[2]
    if positions <= capacity:
        return own
    pad = [(0, 0), (0, 0), (0, -(-positions // BLOCK) * BLOCK - capacity), (0, 0)]
    return [mx.pad(kv, pad) for kv in own]


def take_cross(cross: Sequence[KeysValues], index: Sequence[int]) -> list[KeysValues]:
    """Some rows of the audio's keys and values."""
    at = mx.array(list(index))
    return [(k[at], v[at]) for k, v in cross]
