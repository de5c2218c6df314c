"""The program that a service runs: is it there, are its folders there, has it come alive?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from launchd.agent_spec import AgentSpec
from launchd.command import Clock, wait_until
from launchd.errors import ServiceError

Alive = Callable[[], bool]  # has the program itself given a sign of life since it was started?


def prepare(spec: AgentSpec) -> None:
    """Make the folders without which it could not start. Raises ServiceError."""
    if not Path(spec.program[0]).is_file():
        raise ServiceError(f"Nothing was changed: there is no program {spec.program[0]}.")
    for folder in (spec.working_directory, spec.log.parent):
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            raise ServiceError(
                f"Nothing was changed: cannot make {folder}: {error.strerror}."
            ) from error


def expect_alive(spec: AgentSpec, alive: Alive, seconds: float, clock: Clock) -> None:
    """Wait for its own sign of life. Raises ServiceError with the last that it said."""
    if not wait_until(alive, seconds, clock):
        raise ServiceError(
            f"The service was started, but gave no sign of life for {seconds:.0f} seconds. "
            f"What it said last: {last_lines(spec.log)}"
        )


def last_lines(log: Path, count: int = 5) -> str:
    """The end of a log file on one line, for an error message."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 4096))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"nothing ({log}: {error.strerror})"
    return f"{' | '.join(lines[-count:]) or 'nothing'} ({log})"
