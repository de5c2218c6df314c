"""The crash loop: a daemon that is struck at its n-th call of a kind, and one that recovers.

strace counts and strikes the daemon's own system calls, SQLite's included. Each trial has a good
and a bad recording; whatever happened, a run without a fault must bring both to exactly one end.
The outbox, done/ and failed/ lie on the inbox's volume, on one without hard links and exclusive
renames, or on another volume (both pretended: odd_volume.py).
"""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.kit.daemon_process import RUNNER
from tests.kit.fault_daemon import FaultDaemon

# Every call by which the daemon or its SQLite changes a disk, but plain writes to logs.
CALLS = ("fsync", "fdatasync", "rename", "renameat2", "unlink", "mkdir", "pwrite64")
VOLUMES = ("", "no-links", "other-volume")
ERRORS = ("ENOSPC", "EIO", "EDQUOT", "EROFS")
KINDS = ("kill", "once", "for-ever", "kill-again", "fail-again")
_PATIENT_EXITS = (0, 75)  # done, or paused and told to try again
_RECOVERY = 11  # the first so many calls of a second run are its recovery, more or less

# (arguments of tests/kit/runner.py, a file for its output, a command line of strace) → exit code
Run = Callable[[Sequence[str], Path, Sequence[str]], int]


def run_process(arguments: Sequence[str], log: Path, tracer: Sequence[str]) -> int:
    """As a process of its own; forked.py's `run` is four times quicker, but wants no threads."""
    command = [*tracer, sys.executable, "-s", str(RUNNER), *arguments]
    with log.open("ab") as console:
        ended = subprocess.run(command, stdout=console, stderr=console, timeout=120, check=False)
    return ended.returncode


@dataclass(frozen=True, order=True)
class Point:
    """A strike: KIND at the `number`-th `call`, on such a volume."""

    volume: str
    kind: str
    call: str
    number: int

    @property
    def error(self) -> str:
        return ERRORS[(self.number + (self.kind == "for-ever")) % len(ERRORS)]

    @property
    def again(self) -> int:
        """Which such call of the run that recovers is struck, for the kinds that strike there."""
        return self.number * 7 % _RECOVERY + 1

    def strikes(self) -> list[str]:
        """What strace injects into the runs before the undisturbed one."""
        kill = f"{self.call}:signal=KILL:when="
        fail = f"{self.call}:error={self.error}:when="
        return {
            "kill": [f"{kill}{self.number}"],
            "once": [f"{fail}{self.number}"],
            "for-ever": [f"{fail}{self.number}+"],
            "kill-again": [f"{kill}{self.number}", f"{kill}{self.again}"],
            "fail-again": [f"{kill}{self.number}", f"{fail}{self.again}+"],
        }[self.kind]

    def __str__(self) -> str:
        return f"{self.volume or 'plain'} {self.kind} {self.call} {self.number}"


@dataclass(frozen=True)
class Trial:
    """One run after another in a folder of its own, with faults in the first ones."""

    root: Path
    volume: str
    run: Run

    def struck(self, point: Point) -> tuple[int, list[str]]:
        """How many of its strikes were met, and what is wrong in the end."""
        daemon = self._daemon()
        met, complaints = 0, []
        for strike in point.strikes():
            met += self._strike(daemon, point.call, strike, complaints)
        ended = self.run([*self._options(daemon), "run", "--once"], self.root / "console.log", [])
        if ended != 0:
            return met, [*complaints, f"undisturbed: exit code {ended}"]
        return met, [*complaints, *daemon.violations()]

    def _strike(self, daemon: FaultDaemon, call: str, strike: str, complaints: list[str]) -> bool:
        ended, lines = self._traced(daemon, call, strike)
        if "signal=" in strike:
            return ended == -9
        if ended not in _PATIENT_EXITS:
            complaints.append(f"{strike}: exit code {ended}")
        return any("(INJECTED)" in line for line in lines)

    def counted(self) -> Counter[str]:
        """How often an undisturbed run makes each call."""
        ended, lines = self._traced(self._daemon(), ",".join(CALLS), "")
        assert ended == 0
        return Counter(line.partition("(")[0] for line in lines)

    def _traced(self, daemon: FaultDaemon, calls: str, strike: str) -> tuple[int, list[str]]:
        trace = self.root / "trace"
        inject = ["-e", f"inject={strike}"] if strike else []
        tracer = ["strace", "-qq", "-o", str(trace), "-e", f"trace={calls}", *inject]
        arguments = [*self._options(daemon), "run", "--once"]
        ended = self.run(arguments, self.root / "console.log", tracer)
        return ended, trace.read_text().splitlines()

    def _daemon(self) -> FaultDaemon:
        names = ("inbox", "outbox", "done", "failed", "state", "logs")
        away = self.root / "away"
        paths = {name: self.root / name for name in names}
        paths |= {name: away / name for name in ("outbox", "done", "failed")}
        daemon = FaultDaemon.on(self.root, {"paths": {k: str(path) for k, path in paths.items()}})
        away.mkdir()
        daemon.give("good.wav", "a good one")
        daemon.give("bad.wav", "a bad one", "prepare bad_input")
        return daemon

    def _options(self, daemon: FaultDaemon) -> list[str]:
        volume = ["--volume", f"{self.root / 'away'}:{self.volume}"] if self.volume else []
        return [*volume, "--", "--config", str(daemon.root / "config.toml")]
