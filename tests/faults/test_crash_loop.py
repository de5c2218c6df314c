"""Rows F34 to F36, F92: struck at every durable step, once, for ever, and again while recovering.

The suite strikes a sample of the points (tests/kit/crash_points.py), some in processes as a user
starts them, some by scripts/crash_loop.py, whose daemons are forks; `pytest -m slow` strikes all.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.kit.crash_points import CALLS, Point, Trial, run_process
from tests.kit.tracing import needs_strace

pytestmark = needs_strace

_SCRIPT = Path(__file__).parents[2] / "scripts" / "crash_loop.py"
_SAMPLE = (
    ("no-links", "kill", "rename"),
    ("no-links", "for-ever", "pwrite64"),
)
Steps = Callable[[str, str], int]


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> Steps:
    """How often an undisturbed run makes a call, on such a volume."""

    @cache
    def counted(volume: str) -> dict[str, int]:
        return Trial(tmp_path_factory.mktemp("counted") / "d", volume, run_process).counted()

    return lambda call, volume: counted(volume)[call]


@pytest.mark.parametrize(("volume", "kind", "call"), _SAMPLE)
def test_a_daemon_struck_at_a_durable_step_loses_and_doubles_nothing_f34_f35(
    volume: str, kind: str, call: str, steps: Steps, tmp_path: Path
) -> None:
    point = Point(volume, kind, call, steps(call, volume) // 2 + 1)
    met, problems = Trial(tmp_path / "d", volume, run_process).struck(point)
    assert problems == []
    assert met


@pytest.mark.slow
@pytest.mark.timeout(4 * 3600)
def test_a_daemon_struck_at_every_durable_step_f34_f35_f36(tmp_path: Path) -> None:
    """By forks: 3,500 points take an hour and a quarter."""
    struck = subprocess.run(
        [sys.executable, _SCRIPT, "--folder", tmp_path, "--results", tmp_path / "results"],
        check=False,
    )
    assert struck.returncode == 0


def test_a_sample_by_forks_is_whole_and_is_not_struck_again_f34_f35_f36(tmp_path: Path) -> None:
    results = tmp_path / "results"
    command = [sys.executable, str(_SCRIPT), "--folder", str(tmp_path), "--results", str(results)]
    command += ["--volumes", "other-volume", "--kinds", "once,kill-again", "--calls", "unlink"]
    first = subprocess.run([*command, "--share", "1/12"], check=False, capture_output=True)
    assert first.returncode == 0, first.stdout
    facts = results.read_bytes()
    assert facts.count(b'"met": 2') >= 1
    again = subprocess.run([*command, "--share", "1/12"], check=True, capture_output=True)
    assert results.read_bytes() == facts
    assert again.stdout == first.stdout


def test_strace_can_trace_here_so_the_crash_loop_is_not_empty(steps: Steps) -> None:
    assert all(steps(call, "") for call in CALLS)
