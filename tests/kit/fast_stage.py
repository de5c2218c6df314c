"""The fake stages that are compiled (fast_stage.c): a start takes a millisecond, a file a few."""

from __future__ import annotations

import subprocess
from pathlib import Path


def compiled(folder: Path) -> Path:
    """The program, made in `folder`. Needs a C compiler."""
    program = folder / "fast_stage"
    source = Path(__file__).with_suffix(".c")
    subprocess.run(["cc", "-O2", "-o", program, source], check=True)
    return program
