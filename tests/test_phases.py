"""Both phases of scripts/test.sh: no test is in none or in both, and the codes are summed right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.kit import phases

_TESTS = Path(__file__).parent


def test_every_place_that_computes_is_there() -> None:
    assert [place for place in phases.COMPUTING if not (_TESTS / place).exists()] == []


@pytest.mark.parametrize(
    ("codes", "whole"),
    [([0, 0], 0), ([0, 5], 0), ([5, 5], 5), ([1, 0], 1), ([5, 1], 1), ([0, 2], 2)],
)
def test_a_phase_without_tests_is_no_failure_and_a_failure_is(
    codes: list[int], whole: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "counts").write_text("passed 3\nfailed 0\npassed 4\nfailed 1\n")
    assert phases.total(tmp_path / "counts", codes) == whole
    assert capsys.readouterr().out == "both phases: 7 passed, 1 failed\n"


@pytest.mark.parametrize(
    ("phase", "left"), [("wait", "inbox/test_schedule.py"), ("compute", "asr/test_chunks.py")]
)
def test_a_phase_has_its_own_tests_only(phase: str, left: str) -> None:
    both = [str(_TESTS / "inbox" / "test_schedule.py"), str(_TESTS / "asr" / "test_chunks.py")]
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "--collect-only", "-q", "--phase", phase, *both],
        cwd=_TESTS.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    collected = {line.partition("::")[0] for line in ran.stdout.splitlines() if "::" in line}
    assert collected == {f"tests/{left}"}


def test_several_processes_count_each_test_once(tmp_path: Path) -> None:
    here = [
        str(_TESTS / "inbox" / "test_schedule.py"),
        "-n",
        "1",
        f"--counts={tmp_path / 'counts'}",
    ]
    subprocess.run([sys.executable, "-m", "pytest", "-q", *here], cwd=_TESTS.parent, check=True)
    names = [line.split()[0] for line in (tmp_path / "counts").read_text().splitlines()]
    assert len(names) == len(set(names))
