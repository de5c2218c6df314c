"""Recordings that are written into the inbox while the daemon looks: delivered once, and whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.conftest import MakeDaemon

_RECORDER = Path(__file__).parents[1] / "kit" / "recorder.py"
_RECORDINGS = {"a.m4a": "aac", "b.mp3": "libmp3lame", "c.wav": "pcm_s16le", "d.mkv": "aac"}


@pytest.mark.parametrize(
    ("seconds", "settle"),
    [
        (5.0, 0.3),
        pytest.param(300.0, 0.5, marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
def test_a_recording_that_grows_is_delivered_once_and_whole(
    make: MakeDaemon, seconds: float, settle: float
) -> None:
    """The recorder stands still for longer than `settle_seconds`, but holds its file open."""
    watch = {"settle_seconds": settle, "rescan_seconds": 0.3, "events": True}
    daemon = make({"watch": watch, "limits": {"stall_seconds": 60.0}})
    daemon = daemon.running_with("--real", "prepare")
    daemon.start()
    try:
        recorders = [
            subprocess.Popen(
                [sys.executable, _RECORDER, daemon.config.paths.inbox / name, codec, str(seconds)]
            )
            for name, codec in _RECORDINGS.items()
        ]
        assert [recorder.wait(seconds + 120) for recorder in recorders] == [0, 0, 0, 0]
        daemon.wait_for("done", len(_RECORDINGS), seconds=240)
    finally:
        daemon.end()
    assert daemon.delivered() == ["a", "b", "c", "d"]
    assert len(daemon.events("done")) == len(_RECORDINGS)
    assert not daemon.events("failed")
    assert daemon.events("waiting"), "one stood still while it was open"
    for stem in daemon.delivered():
        document = daemon.document(stem)
        assert document["duration"] == pytest.approx(seconds, abs=0.1)
        assert document["provenance"]["warnings"] == []
