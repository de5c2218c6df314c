"""Which machine a recording goes to. Pure: what is known of the machines comes in.

A machine is asked that has a place free, the recording's model, and memory for it; of those, the
one that is expected to be done first, by its measured speed, its network and what it has already.
Recordings are placed the longest first, so that none of them is alone at the end.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from daemon.handoff.protocol import HostState
from daemon.models.memory import ALIGNER_BYTES
from daemon.models.registry import BYTES

_BYTES_A_SECOND = 16_000  # of a compressed recording: a guess at how long it is, to order files by
_SPEED = 10.0  # audio seconds a second, until a machine's speed is measured
_NETWORK = 20_000_000  # bytes a second, until it is measured


@dataclass(frozen=True, slots=True)
class Needs:
    """What a recording of `size` bytes needs. `language`: "" until it is heard."""

    size: int
    model: str
    language: str = ""
    is_aligned: bool = True

    @property
    def memory(self) -> int:
        """Bytes beside what runs there: the weights, and an aligner."""
        return BYTES.get(self.model, 0) + (ALIGNER_BYTES if self.is_aligned else 0)


def suits(state: HostState, needs: Needs, home: Collection[str]) -> bool:
    """Whether that machine can do it as well as this one, whose aligners' languages are `home`.

    Where the language is not known yet, a machine without its aligner may get the recording: it is
    aligned here then.
    """
    if needs.model not in state.models or state.free_bytes < needs.memory:
        return False
    is_here = needs.is_aligned and needs.language in home
    return not is_here or needs.language in state.aligners


def seconds(state: HostState, held: Sequence[int], size: int) -> float:
    """When that machine would be done with it; `held`: the sizes of what it has already."""
    work = (sum(held) + size) / _BYTES_A_SECOND / (state.speed or _SPEED)
    return size / (state.bytes_per_second or _NETWORK) + work


def best(
    states: Sequence[HostState],
    held: Mapping[str, Sequence[int]],
    needs: Needs,
    home: Collection[str],
) -> str:
    """The name of the machine to ask; "" if there is none. `held`: the sizes it has, by name."""
    fit = [
        state
        for state in states
        if len(held.get(state.name, ())) < state.places and suits(state, needs, home)
    ]
    if not fit:
        return ""
    return min(fit, key=lambda s: seconds(s, held.get(s.name, ()), needs.size)).name
