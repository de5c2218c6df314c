"""Which model is used where the configuration names none: by the machine's memory."""

from __future__ import annotations

import os

AUTOMATIC = "auto"
_SMALL = 15_000_000_000  # bytes; below, a machine has less than the 16 GB that large-v3 is for


def default_model(memory: int) -> str:
    """The preset for a machine with that much memory, in bytes.

    large-v3, its buffers and an aligner take about 6 GB, beside a system that needs as much.
    """
    return "large-v3" if memory >= _SMALL else "large-v3-turbo"


def named(model: str) -> str:
    """`model`, or this machine's preset for "auto"."""
    return default_model(total_memory()) if model == AUTOMATIC else model


def total_memory() -> int:
    """Bytes. Both names are known to Linux and to macOS; psutil takes longer to import."""
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def about_small_memory(model: str) -> str:
    """For a person: why it is not large-v3; "" where there is nothing to say."""
    memory = total_memory()
    if model != default_model(memory) or memory >= _SMALL:
        return ""
    return (
        f"{model} is the default here: large-v3 is for machines with 16 GB of memory, and this one"
        f" has {round(memory / (1 << 30))} (transcribe.model)"
    )
