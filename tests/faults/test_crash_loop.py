"""Rows F34 to F36, F92: struck at every durable step, once, for ever, and again while recovering.

strace counts and strikes the daemon's own system calls, SQLite's included. Each run has a good and
a bad recording; whatever happened, a run without a fault must bring both to exactly one end. The
outbox, done/ and failed/ lie on the inbox's volume, on one without hard links and exclusive
renames, or on another volume (both pretended: tests/kit/odd_volume.py). The suite strikes a sample
of the points; `pytest -m slow` strikes all of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests.kit.fault_daemon import FaultDaemon
from tests.kit.tracing import needs_strace

pytestmark = needs_strace

# Every call by which the daemon or its SQLite changes a disk, but plain writes to logs.
CALLS = ("fsync", "fdatasync", "rename", "renameat2", "unlink", "mkdir", "pwrite64")
VOLUMES = ("", "no-links", "other-volume")
_SAMPLE = (("rename", "no-links"), ("pwrite64", ""), ("unlink", "other-volume"))
ERRORS = ("ENOSPC", "EIO", "EDQUOT")
_PATIENT_EXITS = (0, 75)  # done, or paused and told to try again


@dataclass(frozen=True)
class Trial:
    """One run after another in a folder of its own, with faults in the first ones."""

    root: Path
    volume: str = ""  # traits of the volume that results and recordings go to

    def daemon(self) -> FaultDaemon:
        names = ("inbox", "outbox", "done", "failed", "state", "logs")
        away = self.root / "away"
        paths = {name: self.root / name for name in names}
        paths |= {name: away / name for name in ("outbox", "done", "failed")}
        tables = {"paths": {name: str(path) for name, path in paths.items()}}
        daemon = FaultDaemon.on(self.root, tables)
        away.mkdir()
        daemon.give("good.wav", "a good one")
        daemon.give("bad.wav", "a bad one", "prepare bad_input")
        return daemon

    def struck(self, daemon: FaultDaemon, call: str, strike: str, when: str) -> int:
        """Run with a fault at the daemon's own `when`-th such call; return how it ended."""
        inject = [] if not strike else ["-e", f"inject={call}:{strike}:when={when}"]
        trace = str(self.root / "trace")
        prefix = ["strace", "-qq", "-o", trace, "-e", f"trace={call}", *inject]
        return daemon.run_to_end(*self._options(), prefix=prefix).returncode

    def violations(self, daemon: FaultDaemon) -> list[str]:
        """After a run without a fault."""
        return daemon.drained(*self._options()).violations()

    def _options(self) -> list[str]:
        return ["--volume", f"{self.root / 'away'}:{self.volume}"] if self.volume else []


Steps = Callable[[str, str], int]


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """How often an undisturbed run makes a call, on such a volume."""

    @cache
    def counted(volume: str) -> Counter[str]:
        trial = Trial(tmp_path_factory.mktemp("undisturbed") / "d", volume)
        trial.struck(trial.daemon(), ",".join(CALLS), "", "")
        lines = (trial.root / "trace").read_text().splitlines()
        return Counter(line.partition("(")[0] for line in lines)

    return lambda call, volume: counted(volume)[call]


def killed_at(trial: Trial, call: str, *numbers: int) -> list[str]:
    """Killed at that call; then, with a second number, again in the run that recovers."""
    daemon = trial.daemon()
    for number in numbers:
        trial.struck(daemon, call, "signal=KILL", str(number))
    return trial.violations(daemon)


def failing_at(trial: Trial, call: str, error: str, when: str) -> list[str]:
    """The call reports that error, once (`when` is a number) or for ever ("3+")."""
    daemon = trial.daemon()
    ended = trial.struck(daemon, call, f"error={error}", when)
    complaints = [] if ended in _PATIENT_EXITS else [f"exit code {ended}"]
    return complaints + trial.violations(daemon)


def _report(found: dict[str, list[str]]) -> None:
    broken = {point: problems for point, problems in found.items() if problems}
    print(f"{len(found)} points struck, {len(broken)} broken")
    assert not broken


@pytest.mark.parametrize(("call", "volume"), _SAMPLE)
def test_a_daemon_killed_at_any_durable_step_loses_and_doubles_nothing_f34(
    call: str, volume: str, steps: Steps, tmp_path: Path
) -> None:
    number = steps(call, volume) // 2 + 1
    _report({f"{call} {number}": killed_at(Trial(tmp_path / "d", volume), call, number)})


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("volume", VOLUMES)
@pytest.mark.parametrize("call", CALLS)
def test_a_daemon_killed_at_every_durable_step_f34(
    call: str, volume: str, steps: Steps, tmp_path: Path
) -> None:
    points = range(1, steps(call, volume) + 1)
    _report({f"{call} {n}": killed_at(Trial(tmp_path / str(n), volume), call, n) for n in points})


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("volume", VOLUMES)
@pytest.mark.parametrize("call", CALLS)
def test_a_daemon_killed_again_while_it_recovers_f36(
    call: str, volume: str, steps: Steps, tmp_path: Path
) -> None:
    points = [(n, n * 7 % 11 + 1) for n in range(1, steps(call, volume) + 1)]
    _report(
        {
            f"{call} {n}, {again}": killed_at(Trial(tmp_path / str(n), volume), call, n, again)
            for n, again in points
        }
    )


@pytest.mark.parametrize(("call", "volume"), _SAMPLE[:1])
def test_a_disk_that_fails_once_or_for_ever_stops_nothing_for_good_f35(
    call: str, volume: str, steps: Steps, tmp_path: Path
) -> None:
    number = steps(call, volume) // 2 + 1
    once, ever = Trial(tmp_path / "once", volume), Trial(tmp_path / "ever", volume)
    _report(
        {
            f"{call} EIO {number}": failing_at(once, call, "EIO", str(number)),
            f"{call} ENOSPC {number}+": failing_at(ever, call, "ENOSPC", f"{number}+"),
        }
    )


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("when", ["{}", "{}+"], ids=["once", "for-ever"])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("volume", VOLUMES)
@pytest.mark.parametrize("call", CALLS)
def test_a_disk_that_fails_at_every_durable_step_f35(
    call: str, volume: str, error: str, when: str, steps: Steps, tmp_path: Path
) -> None:
    points = range(1, steps(call, volume) + 1)
    _report(
        {
            f"{call} {error} {when.format(n)}": failing_at(
                Trial(tmp_path / str(n), volume), call, error, when.format(n)
            )
            for n in points
        }
    )


def test_strace_can_trace_here_so_the_crash_loop_is_not_empty(steps: Steps) -> None:
    assert all(steps(call, "") for call in CALLS)
