"""kill -9 of the daemon at its work, then a new one: each file is delivered once, nothing is left.

The stages are fakes that wait at a gate, so that the blow falls where it is meant to; the last
test uses the real ones. Blows at every single system call are tests/faults/.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.domain.job import Stage
from tests.kit.accuracy import AUDIO, truth_of, word_error_rate
from tests.kit.daemon_process import DaemonProcess, running, wait_until


def _delivered_once(daemon: DaemonProcess, name: str) -> None:
    stem = Path(name).stem
    assert daemon.delivered() == [stem]
    assert [event["name"] for event in daemon.events("done")] == [name]
    assert [path.name for path in daemon.config.paths.done.iterdir()] == [name]
    assert not list(daemon.config.paths.inbox.iterdir())


@pytest.mark.parametrize("stage", [Stage.PREPARE, Stage.TRANSCRIBE, Stage.ALIGN])
def test_a_file_survives_the_daemons_death_in_any_stage(stage: Stage, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(DaemonProcess.faked(tmp_path / "d", **{stage: f"gate:{gate}"})) as daemon:
        daemon.drop(b"a recording", "memo.wav")
        daemon.wait_until(lambda: daemon.working_on().get(stage, 0) > 0, f"{stage} was at work")
        daemon.kill()
        wait_until(lambda: not daemon.stages(), "every stage had ended with the daemon")
        assert daemon.delivered() == []
        gate.touch()
        daemon.start()
        daemon.wait_for("done")
        _delivered_once(daemon, "memo.wav")
        assert daemon.timing("memo")["stages"][stage]["attempts"] == 2
        assert daemon.document("memo")["alignment"]["status"] == "complete"


def test_the_files_that_waited_are_not_forgotten(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(DaemonProcess.faked(tmp_path / "d", transcribe=f"gate:{gate}")) as daemon:
        for number in range(4):
            daemon.drop(b"%d" % number, f"{number}.wav")
        daemon.wait_for("queued", 4)
        daemon.kill()
        gate.touch()
        daemon.start()
        daemon.wait_for("done", 4)
        assert daemon.delivered() == ["0", "1", "2", "3"]
        assert len(daemon.events("queued")) == 4


def test_what_is_dropped_while_nobody_watches_is_found(tmp_path: Path) -> None:
    with running(DaemonProcess.faked(tmp_path / "d")) as daemon:
        daemon.kill()
        daemon.drop(b"a recording", "memo.wav")
        daemon.start()
        daemon.wait_for("done")
        _delivered_once(daemon, "memo.wav")


def test_a_polite_stop_counts_against_no_file(tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(DaemonProcess.faked(tmp_path / "d", transcribe=f"gate:{gate}")) as daemon:
        daemon.drop(b"a recording", "memo.wav")
        daemon.wait_until(lambda: daemon.working_on().get("transcribe", 0) > 0, "it was at work")
        daemon.processes[-1].terminate()
        assert daemon.processes[-1].wait(30) == 0
        assert not daemon.stages()
        gate.touch()
        daemon.start()
        daemon.wait_for("done")
        assert daemon.timing("memo")["stages"]["transcribe"]["attempts"] == 1


def test_the_real_stages_end_with_the_daemon_too(tmp_path: Path) -> None:
    with running(DaemonProcess.on(tmp_path / "d")) as daemon:
        daemon.drop(AUDIO / "memo-10s.wav")
        daemon.wait_for("prepared")
        daemon.kill()
        wait_until(lambda: not daemon.stages(), "every stage had ended with the daemon")
        daemon.start()
        daemon.wait_for("done")
        _delivered_once(daemon, "memo-10s.wav")
        said = daemon.document("memo-10s")["text"]
        assert word_error_rate(said, truth_of("memo-10s")["text"]) <= 0.02
