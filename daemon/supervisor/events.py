"""What the supervisor's loop can be told; threads and signal handlers only post these."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.processes.worker import Ended, Said


@dataclass(frozen=True, slots=True)
class Knock:
    """Something happened in the inbox, or may have."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody wants us to end: the number of the signal that said so."""

    signal: int


Event = Knock | Stop | Said | Ended
