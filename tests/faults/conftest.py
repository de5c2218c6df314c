"""What every fault test needs: a daemon on folders of its own, ended whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit.daemon_process import Tables
from tests.kit.fault_daemon import FaultDaemon

MakeDaemon = Callable[..., FaultDaemon]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[MakeDaemon]:
    """Make daemons with this configuration; all of them are ended after the test."""
    made: list[FaultDaemon] = []

    def one(tables: Tables | None = None) -> FaultDaemon:
        made.append(FaultDaemon.on(tmp_path / f"daemon-{len(made)}", tables))
        return made[-1]

    yield one
    for daemon in made:
        daemon.end()


@pytest.fixture
def daemon(make: MakeDaemon) -> FaultDaemon:
    return make()
