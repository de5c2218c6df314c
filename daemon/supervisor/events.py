"""What the supervisor's loop can be told; threads and signal handlers only post these."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.processes.worker import WorkerExited, WorkerMessage


@dataclass(frozen=True, slots=True)
class InboxChanged:
    """Something happened in the inbox, or may have."""


@dataclass(frozen=True, slots=True)
class StopRequested:
    """Somebody wants us to end: the number of the signal that said so."""

    signal: int


Event = InboxChanged | StopRequested | WorkerMessage | WorkerExited
