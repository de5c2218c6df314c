"""Rows L1 to L7: lies in well-formed lines, planted files, and faults that are one file's alone."""

from __future__ import annotations

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from tests.faults.conftest import MakeDaemon
from tests.kit.daemon_process import wait_until
from tests.kit.fault_daemon import FaultDaemon

_PATIENT = {"limits": {"stall_seconds": 60.0}, "align": {"stall_seconds": 60.0}}
_PROVENANCE = {"source": "x.wav", "bytes": 1, "sha256": "0" * 64}


@pytest.fixture
def daemon(make: MakeDaemon) -> FaultDaemon:
    """It waits for stages: what counts here is what they say, not when."""
    return make(_PATIENT)


@pytest.mark.parametrize("lie", ["flood_well_formed", "flood_progress", "not_finite"])
def test_a_stage_that_lies_costs_its_file_only_l1_l2(daemon: FaultDaemon, lie: str) -> None:
    daemon.give("a-liar.wav", "a liar", f"prepare {lie}")
    daemon.give("z.wav", "an innocent")
    daemon.drained()
    assert "z" in daemon.delivered()
    assert not any("unexpected" in line for line in daemon.log().splitlines())


def test_what_a_stage_says_forges_no_line_no_digest_and_no_path_l1(daemon: FaultDaemon) -> None:
    for stage, lie in (("prepare", "forge"), ("prepare", "other_digest"), ("publish", "escape")):
        daemon.give(f"{lie}.wav", lie, f"{stage} {lie}")
    daemon.drained()
    assert daemon.failed_names() == ["escape.wav", "forge.wav", "other_digest.wav"]
    for command in (("jobs",), ("status",), ("show", "forge.wav"), ("logs", "forge.wav")):
        shown = daemon.call(*command).stdout
        assert "no audio" in shown
        assert "\x1b" not in shown
        assert "\n#1 forged.wav: done" not in shown
    assert daemon.violations() == []


def test_a_stop_overtakes_a_flood_of_well_formed_lines_l2(make: MakeDaemon) -> None:
    daemon = make(_PATIENT)
    daemon.give("a-liar.wav", "a liar", "prepare flood_well_formed")
    process = daemon.start()
    wait_until(daemon.stages, "the flood had begun")
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == 0


def test_a_batch_that_dies_costs_the_poison_only_l3(make: MakeDaemon) -> None:
    daemon = make({**_PATIENT, "limits": {"max_attempts": 1, "stall_seconds": 60.0}})
    for number in range(4):
        daemon.give(f"b{number}.wav", f"innocent {number}", "transcribe slow 9")
    daemon.give("a-poison.wav", "poison", "transcribe segv")
    daemon.drained()
    assert daemon.delivered() == [f"b{number}" for number in range(4)]
    assert daemon.failed_names() == ["a-poison.wav"]


def test_a_file_that_cannot_be_delivered_does_not_hold_up_the_others_l4(
    daemon: FaultDaemon,
) -> None:
    """Moving one recording fails, whatever is tried, as a bad sector on its disk would have it."""
    daemon.give("a.wav", "hindered")
    daemon.give("z.wav", "an innocent")
    fault = f"--fault=rename:1+:EIO:{daemon.config.paths.inbox}/a.wav"
    assert daemon.run_to_end(fault).returncode == 75  # told, and to be tried again
    assert "z" in daemon.delivered()
    assert daemon.drained().violations() == []


def test_a_ledger_from_before_the_delivery_does_not_deliver_again_l5(make: MakeDaemon) -> None:
    daemon = make({**_PATIENT, "output": {"source": "keep"}})
    daemon.give("one.wav", "one")
    daemon.drained()
    backup = shutil.copytree(daemon.config.paths.state, daemon.root / "backup")
    daemon.give("two.wav", "two")
    daemon.drained()
    shutil.rmtree(daemon.config.paths.state)
    backup.rename(daemon.config.paths.state)
    daemon.drained()
    assert daemon.delivered() == ["one", "two"]


@pytest.mark.parametrize(
    "planted",
    [
        "pipe",
        json.dumps({"provenance": {**_PROVENANCE, "bytes": 1}}).replace(
            '"bytes": 1', '"bytes": 1e999'
        ),
        json.dumps({"provenance": {**_PROVENANCE, "bytes": 2**70}}),
        json.dumps({"provenance": {**_PROVENANCE, "sha256": "\ud800"}}),
        json.dumps({"provenance": {**_PROVENANCE, "source": "../x.wav"}}),
        "[" * 100_000,
    ],
    ids=["pipe", "infinity", "huge", "surrogate", "path", "nested"],
)
def test_a_new_ledger_learns_nothing_from_what_was_planted_l6(
    daemon: FaultDaemon, planted: str
) -> None:
    daemon.give("one.wav", "one")
    daemon.drained()
    odd = daemon.config.paths.outbox / "x.json"
    if planted == "pipe":
        os.mkfifo(odd)
    else:
        odd.write_text(planted)
    shutil.rmtree(daemon.config.paths.state)
    daemon.give("two.wav", "two")
    daemon.drained()
    assert {"one", "two"} <= set(daemon.delivered())
    assert daemon.events("recovered")[-1]["recordings"] == 1


def test_audio_decoded_ahead_does_not_lock_the_queue_l7(make: MakeDaemon) -> None:
    """The disk is below its floor, and only what is decoded already can free it."""
    daemon = make()
    daemon.give("a.wav", "decoded already", "transcribe hang 1")
    process = daemon.start()
    daemon.wait_for_start("transcribe")
    process.kill()
    process.wait()
    _raise_the_floor(daemon.root / "config.toml")
    daemon.processes.clear()
    daemon.start()
    daemon.wait_for("done")
    assert daemon.document("a")["text"] == "decoded already"


def test_what_has_no_room_beside_others_is_decoded_alone_l7(daemon: FaultDaemon) -> None:
    daemon.give("a.wav", "fits when it is alone", "prepare no_room 1")
    daemon.give("b.wav", "never fits", "prepare no_room")
    daemon.give("c.wav", "another")
    assert daemon.drained().violations() == []
    assert daemon.delivered() == ["a", "c"]
    assert daemon.error("b.wav")["kind"] == "bad_input"
    assert not daemon.events("paused")


def _raise_the_floor(config: Path) -> None:
    text = config.read_text()
    config.write_text(text.replace("min_free_mb = 1\n", "min_free_mb = 1000000000\n"))
    assert config.read_text() != text
