"""No test can reach the home folder or the configuration of the person who runs the tests.

This happens while pytest loads, before any module of ours is imported: daemon.config knows the
home folder from then on.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

import pytest

from tests.kit import phases

_OURS = ("DROPSCRIBE_", "XDG_", "HF_")
_HOME = Path(tempfile.mkdtemp(prefix="dropscribe-tests-"))

for _name in [name for name in os.environ if name.startswith(_OURS)]:
    del os.environ[_name]
os.environ["HOME"] = str(_HOME)
os.environ["XDG_CONFIG_HOME"] = str(_HOME / "xdg" / "config")
os.environ["XDG_CACHE_HOME"] = str(_HOME / "xdg" / "cache")
# The aligner's threads share its work out, and BLAS's own would wait for one another.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def pytest_addoption(parser: pytest.Parser) -> None:
    phases.add_options(parser)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    phases.sort(config, items, Path(__file__).parent)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    phases.write_counts(terminalreporter.config, terminalreporter.stats)


def pytest_unconfigure() -> None:
    shutil.rmtree(_HOME, ignore_errors=True)


@pytest.fixture(scope="session")
def home() -> Path:
    """The temporary home folder that every test and every process of a test sees."""
    return _HOME
