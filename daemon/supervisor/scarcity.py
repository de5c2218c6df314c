"""What the machine has too little of to begin something: disk, mains power, hours of the day."""

from __future__ import annotations

from daemon.domain.job import Stage
from daemon.files.faults import scarce_disk
from daemon.supervisor.context import Context
from daemon.supervisor.power import in_hours, on_battery


def frees_space(context: Context) -> bool:
    """Whether something goes on that ends with decoded audio being removed."""
    ledger = context.ledger
    later = (Stage.TRANSCRIBE, Stage.ALIGN, Stage.DIARIZE, Stage.PUBLISH)
    return any(next(iter(ledger.waiting(stage)), None) is not None for stage in later)


def scarcity(context: Context, stage: Stage) -> str | None:
    """What the machine has too little of to begin this. Raises OSError.

    Only decoding fills the disk; the later stages are what frees it again.
    """
    limits = context.config.limits
    if not limits.on_battery and on_battery():
        return "running on battery (limits.on_battery is false): connect the power adapter"
    if limits.hours and not in_hours(limits.hours, context.unix_time()):
        return f"outside the hours of limits.hours ({limits.hours}): work goes on then"
    if stage is not Stage.PREPARE:
        return None
    return scarce_disk((context.jobs,), limits.min_free_mb)
