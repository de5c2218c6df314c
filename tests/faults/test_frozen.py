"""Row F123: the daemon alone is stopped (SIGSTOP) for a while, and its stages go on without it."""

from __future__ import annotations

import json
import os
import signal
import time

import pytest

from daemon.domain.job import Stage
from tests.faults.conftest import MakeDaemon
from tests.kit.fake_recording import recording
from tests.kit.fault_daemon import FaultDaemon

_MINUTES = pytest.param(240.0, marks=[pytest.mark.slow, pytest.mark.timeout(900)], id="minutes")


def _frozen(daemon: FaultDaemon, seconds: float) -> None:
    """The time of a daemon that is stopped; somebody asks meanwhile how it is."""
    time.sleep(seconds)
    told = json.loads(daemon.call("status", "--json").stdout)
    assert (told["running"], told["state"]) == (True, "silent")
    assert f"kill -CONT {daemon.processes[-1].pid}" in told["reason"]
    assert daemon.call("run", "--once").returncode == 75  # the lock is held all the same


def _stage_of(daemon: FaultDaemon, job: int, stage: Stage) -> int:
    status = json.loads((daemon.config.paths.state / "status.json").read_bytes())
    (pid,) = {
        row["pid"] for row in status["working_on"] if (row["job"], row["stage"]) == (job, stage)
    }
    return int(pid)


@pytest.mark.parametrize("seconds", [7.0, _MINUTES])
def test_a_daemon_that_is_stopped_alone_finds_everything_again_f123(
    make: MakeDaemon, seconds: float
) -> None:
    """For longer than the stall limit: a stage finishes, another talks until its pipe is full."""
    daemon = make({"limits": {"stall_seconds": 6.0}})
    gate, inbox = daemon.root / "gate", daemon.config.paths.inbox
    daemon.give("finishes.wav", "this", f"transcribe gate:{gate}")
    daemon.give("talks.wav", "that", f"prepare chatty:{gate}")
    process = daemon.start()
    daemon.wait_until(lambda: set(daemon.working_on()) >= {"prepare", "transcribe"}, "at work")
    daemon.give("removed.wav", "read, and then gone")
    replaced = daemon.give("replaced.wav", "the first")
    daemon.wait_for("prepared", 3)
    process.send_signal(signal.SIGSTOP)
    gate.touch()
    daemon.give("new.wav", "new")
    (inbox / "removed.wav").unlink()
    daemon.dropped.remove(replaced.read_bytes())
    daemon.give("replaced.wav", "the second")
    _frozen(daemon, seconds)
    process.send_signal(signal.SIGCONT)
    daemon.wait_for("done", 5)
    daemon.end()
    assert not daemon.events("retrying")
    assert daemon.violations(lost=1) == []
    stages = daemon.timing("finishes")["stages"]
    assert {name: stage["attempts"] for name, stage in stages.items()} == dict.fromkeys(stages, 1)


def test_a_stage_that_dies_while_the_daemon_is_stopped_costs_its_own_attempt_only_f123(
    make: MakeDaemon,
) -> None:
    daemon, stage = make(), Stage.TRANSCRIBE
    gate = daemon.root / "gate"
    daemon.give("one.wav", "one", f"{stage} gate:{gate} 1")
    process = daemon.start()
    daemon.wait_until(lambda: daemon.working_on().get(stage, 0) > 0, "it was at work")
    victim = _stage_of(daemon, 1, stage)
    process.send_signal(signal.SIGSTOP)
    os.kill(victim, signal.SIGKILL)
    daemon.drop(recording("two"), "two.wav")
    process.send_signal(signal.SIGCONT)
    daemon.wait_for("done", 2)
    daemon.end()
    assert [event["job"] for event in daemon.events("retrying")] == [1]
    assert daemon.timing("one")["stages"][stage]["attempts"] == 2
    assert daemon.timing("two")["stages"][stage]["attempts"] == 1
