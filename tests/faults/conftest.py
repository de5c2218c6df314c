"""What every fault test needs: a daemon on folders of its own, ended whatever happens."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kit import fake_commands, forked
from tests.kit.daemon_process import Tables
from tests.kit.fault_daemon import FaultDaemon

MakeDaemon = Callable[..., FaultDaemon]


@pytest.fixture(scope="session")
def stage_server() -> Iterator[tuple[str, ...]]:
    if sys.platform != "linux":
        yield fake_commands.OWN_PROCESS
        return
    with forked.stage_server() as start:
        yield start


@pytest.fixture
def forked_stages(stage_server: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    """Fake stages that are quick to start: for tests of all but the stages' processes."""
    monkeypatch.setattr(fake_commands, "START", stage_server)


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
