"""Rows R1 to R3: the process that renders the results dies, hangs, lies, or takes very long."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.faults.conftest import MakeDaemon
from tests.kit.daemon_process import wait_until
from tests.kit.fault_daemon import FaultDaemon


@pytest.mark.parametrize(
    "how", ["segv 1", "leave 1", "no_result 1", "broken_result 1", "truncated_result 1"]
)
def test_a_renderer_that_fails_once_is_started_again_r1(daemon: FaultDaemon, how: str) -> None:
    daemon.give("a.wav", "rendered in the end", f"publish {how}")
    daemon.give("z.wav", "an innocent")
    assert daemon.drained().violations() == []
    assert daemon.delivered() == ["a", "z"]
    assert daemon.timing("a")["stages"]["publish"]["attempts"] == 2
    assert daemon.timing("a")["stages"]["transcribe"]["attempts"] == 1


def test_a_renderer_that_always_fails_costs_its_file_only_r2(daemon: FaultDaemon) -> None:
    daemon.give("a-dead.wav", "never rendered", "publish segv")
    daemon.give("z.wav", "an innocent")
    assert daemon.drained().violations() == []
    assert daemon.delivered() == ["z"]
    assert "crashed with a memory error" in daemon.error("a-dead.wav")["reason"]


def test_a_stop_does_not_wait_for_a_renderer_r3(make: MakeDaemon, tmp_path: Path) -> None:
    """And it costs the file nothing: the next daemon delivers it."""
    daemon = make()
    daemon.give("a.wav", "rendered later", f"publish gate:{tmp_path / 'never'}")
    process = daemon.start()
    wait_until(lambda: "publish" in daemon.working_on(), "it was rendered")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0
    (tmp_path / "never").touch()
    assert daemon.drained().violations() == []
    assert daemon.timing("a")["stages"]["publish"]["attempts"] == 1
