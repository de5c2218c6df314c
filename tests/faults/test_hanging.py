"""Row V9: a copy to another volume that stands still, as over a server that is dead."""

from __future__ import annotations

import json

import pytest

from daemon.__main__ import main
from tests.kit.fault_daemon import FaultDaemon

pytestmark = pytest.mark.usefixtures("forked_stages")

_LONG = "a long one\n" + " " * 3_000_000  # bytes to copy


def test_a_copy_that_stands_still_is_told_in_the_log_the_status_and_by_the_doctor_v9(
    daemon: FaultDaemon, capsys: pytest.CaptureFixture[str]
) -> None:
    """Once in the log, and elsewhere for as long as it lasts; other recordings go on."""
    done, gate = daemon.config.paths.done, daemon.root / "gate"
    volume = f"{done}:other-volume,large=1000000,copy-gate={gate},hangs-after=0.3"
    daemon.program = daemon.running_with("--volume", volume).program
    config = ("--config", str(daemon.root / "config.toml"))
    status = daemon.config.paths.state / "status.json"
    daemon.give("long.wav", _LONG)
    daemon.start()
    (told,) = daemon.wait_for("hanging")
    assert (told["name"], told["level"]) == ("long.wav", "warning")
    assert f"its copy to {done} has stood still since " in told["message"]
    daemon.wait_until(lambda: json.loads(status.read_bytes())["hanging"], "the status said it")
    main([*config, "status"])
    main([*config, "doctor"])
    said = capsys.readouterr().out
    assert said.count(f"long.wav: its copy to {done} has stood still since ") == 2
    assert f"{done} does not answer: connect its disk or server again" in said
    daemon.give("next.wav", "the next one")
    daemon.wait_for("done")
    gate.touch()
    daemon.wait_for("done", 2)
    daemon.wait_until(lambda: not json.loads(status.read_bytes())["hanging"], "it was over")
    assert len(daemon.events("hanging")) == 1
    daemon.stop()
    assert daemon.inbox_names() == []
    daemon.drained()
    assert daemon.violations() == []
