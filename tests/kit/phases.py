"""The two phases of scripts/test.sh: which tests belong to which, and what both came to.

Some tests compute (models, decoders) and want a core each; the others mostly wait for processes.
"""

from __future__ import annotations

import sys
from collections import Counter
from functools import lru_cache
from pathlib import Path

import pytest

# Folders and modules whose tests compute.
COMPUTING = (
    "alignment",
    "asr",
    "bench",
    "commands/test_realign.py",
    "diarization/test_diarizer.py",
    "stages",
    "end_to_end/test_end_to_end.py",
    "end_to_end/test_launchd.py",
    "faults/test_audio.py",
    "faults/test_fuzz.py",
    "rendering",
)
_NO_TESTS = 5  # pytest's exit code where a phase has none of the tests that were asked for
_TOLD = ("passed", "failed", "error", "skipped", "xfailed", "xpassed")


def add_options(parser: pytest.Parser) -> None:
    """--phase and --counts."""
    parser.addoption("--phase", choices=["wait", "compute"], help="only this half of the tests")
    parser.addoption("--counts", type=Path, help="a file that gets the counts of this run")


def sort(config: pytest.Config, items: list[pytest.Item], root: Path) -> None:
    """Leave the tests of the phase; a module with a fixture of its own stays in one process."""
    for item in items:
        module = item.path.relative_to(root)
        if _has_module_fixture(item.path):
            item.add_marker(pytest.mark.xdist_group(str(module)))
        if any(module.is_relative_to(place) for place in COMPUTING):
            item.add_marker(pytest.mark.computes)
    if phase := config.getoption("--phase"):
        wanted = [item for item in items if _computes(item) == (phase == "compute")]
        config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
        items[:] = wanted


@lru_cache
def _has_module_fixture(module: Path) -> bool:
    return 'scope="module"' in module.read_text(encoding="utf-8")


def _computes(item: pytest.Item) -> bool:
    return item.get_closest_marker("computes") is not None


def write_counts(config: pytest.Config, stats: dict[str, list[object]]) -> None:
    """Add this run's counts to the file that --counts names."""
    path = config.getoption("--counts")
    if path is not None and not hasattr(config, "workerinput"):  # xdist's processes count, too
        with path.open("a", encoding="utf-8") as file:
            file.writelines(f"{name} {len(stats.get(name, []))}\n" for name in _TOLD)


def total(counts: Path, codes: list[int]) -> int:
    """Print what both phases came to; return the exit code of the whole."""
    summed: Counter[str] = Counter()
    for line in counts.read_text(encoding="utf-8").splitlines():
        name, _, number = line.partition(" ")
        summed[name] += int(number)
    print("both phases:", ", ".join(f"{n} {name}" for name, n in summed.items() if n) or "no tests")
    ran = [code for code in codes if code != _NO_TESTS]
    return max(ran, default=_NO_TESTS)


if __name__ == "__main__":
    raise SystemExit(total(Path(sys.argv[1]), [int(code) for code in sys.argv[2:]]))
