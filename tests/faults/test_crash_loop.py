"""Rows F34 to F36, F92: struck at every durable step, once, for ever, and again while recovering.

strace counts and strikes the daemon's own system calls, SQLite's included. Each run has a good and
a bad recording; whatever happened, a run without a fault must bring both to exactly one end. The
suite strikes a sample of the points; `pytest -m slow` strikes all of them.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.kit.fault_daemon import FaultDaemon
from tests.kit.tracing import needs_strace

pytestmark = needs_strace

# Every call by which the daemon or its SQLite changes a disk, but plain writes to logs.
CALLS = ("fsync", "fdatasync", "rename", "renameat2", "unlink", "mkdir", "pwrite64")
_SAMPLE = ("pwrite64", "rename", "renameat2", "unlink")
ERRORS = ("ENOSPC", "EIO")
_PATIENT_EXITS = (0, 75)  # done, or paused and told to try again


def _daemon(root: Path) -> FaultDaemon:
    daemon = FaultDaemon.on(root)
    daemon.give("good.wav", "a good one")
    daemon.give("bad.wav", "a bad one", "prepare bad_input")
    return daemon


def _struck(daemon: FaultDaemon, call: str, strike: str, when: str) -> int:
    """Run with a fault at the daemon's own `when`-th such call; return how it ended."""
    inject = [] if not strike else ["-e", f"inject={call}:{strike}:when={when}"]
    trace = daemon.root / "trace"
    prefix = ["strace", "-qq", "-o", str(trace), "-e", f"trace={call}", *inject]
    return daemon.run_to_end(prefix=prefix).returncode


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Counter[str]:
    """How often an undisturbed run makes each call."""
    daemon = _daemon(tmp_path_factory.mktemp("undisturbed") / "d")
    _struck(daemon, ",".join(CALLS), "", "")
    lines = (daemon.root / "trace").read_text().splitlines()
    return Counter(line.partition("(")[0] for line in lines)


def _points(count: int, sample: int | None) -> list[int]:
    """All of 1..count, or `sample` of them from the first to the last."""
    if sample is None or sample >= count:
        return list(range(1, count + 1))
    return sorted({1 + round(step * (count - 1) / (sample - 1)) for step in range(sample)})


def _killed_at(root: Path, call: str, number: int) -> list[str]:
    daemon = _daemon(root)
    _struck(daemon, call, "signal=KILL", str(number))
    return daemon.drained().violations()


def _killed_twice(root: Path, call: str, number: int, again: int) -> list[str]:
    daemon = _daemon(root)
    _struck(daemon, call, "signal=KILL", str(number))
    _struck(daemon, call, "signal=KILL", str(again))
    return daemon.drained().violations()


def _failing_at(root: Path, call: str, error: str, when: str) -> list[str]:
    daemon = _daemon(root)
    ended = _struck(daemon, call, f"error={error}", when)
    complaints = [] if ended in _PATIENT_EXITS else [f"exit code {ended}"]
    return complaints + daemon.drained().violations()


def _report(found: dict[str, list[str]]) -> None:
    broken = {point: problems for point, problems in found.items() if problems}
    print(f"{len(found)} points struck, {len(broken)} broken")
    assert not broken


@pytest.mark.parametrize("call", _SAMPLE)
def test_a_daemon_killed_at_any_durable_step_loses_and_doubles_nothing_f34(
    call: str, steps: Counter[str], tmp_path: Path
) -> None:
    points = [steps[call] // 2 + 1]
    _report({f"{call} {n}": _killed_at(tmp_path / str(n), call, n) for n in points})


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("call", CALLS)
def test_a_daemon_killed_at_every_durable_step_f34(
    call: str, steps: Counter[str], tmp_path: Path
) -> None:
    points = _points(steps[call], None)
    _report({f"{call} {n}": _killed_at(tmp_path / str(n), call, n) for n in points})


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("call", CALLS)
def test_a_daemon_killed_again_while_it_recovers_f36(
    call: str, steps: Counter[str], tmp_path: Path
) -> None:
    points = _points(steps[call], None)
    _report(
        {
            f"{call} {n}, {n * 7 % 11 + 1}": _killed_twice(
                tmp_path / str(n), call, n, n * 7 % 11 + 1
            )
            for n in points
        }
    )


@pytest.mark.parametrize("call", _SAMPLE[:2])
def test_a_disk_that_fails_once_or_for_ever_stops_nothing_for_good_f35(
    call: str, steps: Counter[str], tmp_path: Path
) -> None:
    number = steps[call] // 2 + 1
    _report(
        {
            f"{call} EIO {number}": _failing_at(tmp_path / "once", call, "EIO", str(number)),
            f"{call} ENOSPC {number}+": _failing_at(
                tmp_path / "ever", call, "ENOSPC", f"{number}+"
            ),
        }
    )


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("when", ["{}", "{}+"], ids=["once", "for-ever"])
@pytest.mark.parametrize("error", ERRORS)
@pytest.mark.parametrize("call", CALLS)
def test_a_disk_that_fails_at_every_durable_step_f35(
    call: str, error: str, when: str, steps: Counter[str], tmp_path: Path
) -> None:
    points = _points(steps[call], None)
    _report(
        {
            f"{call} {error} {when.format(n)}": _failing_at(
                tmp_path / str(n), call, error, when.format(n)
            )
            for n in points
        }
    )


def test_strace_can_trace_here_so_the_crash_loop_is_not_empty(steps: Counter[str]) -> None:
    assert all(steps[call] for call in CALLS)
