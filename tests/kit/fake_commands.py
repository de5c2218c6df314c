"""Stages that need no model, for tests of what is around them; each may break in a chosen way."""

from __future__ import annotations

import sys
from pathlib import Path

from daemon.domain.job import Stage
from daemon.processes.pool import Command

FAKES = Path(__file__).parent / "fakes"
REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {"PATH": "/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}


def fake_commands(
    prepare: str = "ok", transcribe: str = "ok", align: str = "ok", diarize: str = "ok"
) -> dict[Stage, Command]:
    """How to start each fake stage, and the way in which it breaks (see fakes/stage.py).

    A way that ends in .py is a program of its own in fakes/.
    """
    ways = {
        Stage.PREPARE: prepare,
        Stage.TRANSCRIBE: transcribe,
        Stage.ALIGN: align,
        Stage.DIARIZE: diarize,
    }
    return {stage: Command(_program(stage, way), ENVIRONMENT) for stage, way in ways.items()}


def _program(stage: Stage, way: str) -> list[str]:
    arguments = [way] if way.endswith(".py") else ["stage.py", stage, way]
    return [sys.executable, "-s", str(FAKES / arguments[0]), *arguments[1:]]
