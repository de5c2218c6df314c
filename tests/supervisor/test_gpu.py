"""A GPU that gives up is the machine's fault. The stages are fakes that die as MLX does."""

from __future__ import annotations

from pathlib import Path

from tests.kit.fault_daemon import FaultDaemon


def test_a_gpu_that_gives_up_gets_half_as_much_and_the_file_pays_nothing(tmp_path: Path) -> None:
    daemon = FaultDaemon.on(tmp_path).acting(transcribe="gpu_gives_up_under_much")
    daemon.give("a.wav", "a recording")
    daemon.drained()
    assert len(daemon.events("gpu")) == 2
    assert daemon.timing("a")["stages"]["transcribe"]["attempts"] == 1


def test_a_gpu_that_never_stops_giving_up_ends_the_file(tmp_path: Path) -> None:
    tables = {"limits": {"max_attempts": 2}}
    daemon = FaultDaemon.on(tmp_path, tables).acting(transcribe="gpu_gives_up")
    daemon.give("a.wav", "a recording")
    daemon.drained()
    assert len(daemon.events("gpu")) == 5  # down to one row of 32
    assert daemon.error("a.wav")["attempts"]["transcribe"] == 2
