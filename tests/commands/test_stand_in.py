"""`retry --stand-in`: what a stand-in transcribed is transcribed again, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.files.state_folder import JOBS
from daemon.handoff import artefacts
from tests.kit.daemon_process import DaemonProcess
from tests.kit.fake_recording import recording


def _say_that_a_stand_in_made(daemon: DaemonProcess, job: int) -> None:
    path = daemon.config.paths.state / JOBS / str(job) / artefacts.TRANSCRIPT
    transcript = json.loads(path.read_bytes())
    transcript["stands_in_for"] = "large-v3"
    path.write_text(json.dumps(transcript))


def test_only_what_a_stand_in_transcribed_goes_back_into_the_inbox(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = DaemonProcess.faked(tmp_path / "d")
    for name, said in (("first.wav", "One."), ("second.wav", "Two.")):
        daemon.drop(recording(said), name)
    assert daemon.once().returncode == 0
    stood_in = {event["name"]: event["job"] for event in daemon.events("done")}["first.wav"]
    _say_that_a_stand_in_made(daemon, stood_in)
    retry = ["retry", "--stand-in", "--config", str(daemon.root / "config.toml")]

    paths = daemon.config.paths
    (paths.inbox / "first.wav").write_bytes(b"somebody else's")
    assert main(retry) == 1
    assert "the inbox holds another file of that name" in capsys.readouterr().err
    assert (paths.done / "first.wav").exists()

    (paths.inbox / "first.wav").unlink()
    assert main(retry) == 0
    assert capsys.readouterr().out == "first.wav: back in the inbox\n"
    assert [path.name for path in paths.inbox.iterdir()] == ["first.wav"]
    assert [path.name for path in paths.done.iterdir()] == ["second.wav"]
