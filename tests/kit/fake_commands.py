"""How to start stages that need no model, for tests of what is around them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from daemon.domain.job import Stage
from daemon.models.hardware import stage_environment
from daemon.processes.pool import Command

KIT = Path(__file__).parent
FAKES = KIT / "fakes"
# What comes before a stage's module and behaviour. forked.py and fast_stage.py have quicker ways.
OWN_PROCESS = (sys.executable, "-S", "-P", "-s", str(KIT / "fake_stage.py"))
START = OWN_PROCESS


def fake_commands(
    prepare: str = "",
    transcribe: str = "",
    align: str = "",
    diarize: str = "",
    publish: str = "",
) -> dict[Stage, Command]:
    """How to start each fake stage, and how it misbehaves (misbehaviour.py).

    What ends in .py is a program of its own in fakes/.
    """
    asked = {
        Stage.PREPARE: prepare,
        Stage.TRANSCRIBE: transcribe,
        Stage.ALIGN: align,
        Stage.DIARIZE: diarize,
        Stage.PUBLISH: publish,
    }
    environment = stage_environment(os.environ)
    return {stage: Command(_program(stage, how), environment) for stage, how in asked.items()}


def _program(stage: Stage, how: str) -> list[str]:
    if how.endswith(".py"):
        return [sys.executable, "-s", str(FAKES / how)]
    return [*START, f"daemon.stages.{stage}", how]
