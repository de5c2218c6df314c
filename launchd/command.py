"""Running a service manager's command line, with a time limit, and waiting for what it began."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

TIMED_OUT = 124  # as timeout(1) answers
NOT_FOUND = 127  # as a shell answers


@dataclass(frozen=True, slots=True)
class Reply:
    """How a command ended, and all that it said."""

    code: int
    text: str


Runner = Callable[[Sequence[str], float], Reply]


class Clock(Protocol):
    """Two functions of the `time` module."""

    def monotonic(self) -> float: ...

    def sleep(self, seconds: float, /) -> None: ...


def run(argv: Sequence[str], seconds: float) -> Reply:
    """Run a command for at most `seconds`; past them it is killed and answers TIMED_OUT."""
    try:
        done = subprocess.run(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return Reply(TIMED_OUT, f"{argv[0]} did not answer within {seconds:.0f} seconds")
    except FileNotFoundError:
        return Reply(NOT_FOUND, f"there is no {argv[0]} on this machine")
    return Reply(done.returncode, done.stdout.decode(errors="replace").strip())


def wait_until(condition: Callable[[], bool], seconds: float, clock: Clock) -> bool:
    """Ask four times a second, for at least `seconds`, whether `condition` holds."""
    deadline = clock.monotonic() + seconds
    while not condition():
        if clock.monotonic() >= deadline:
            return False
        clock.sleep(0.25)
    return True
