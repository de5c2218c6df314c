"""`dropscribe speakers` on a delivered job."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from daemon.diarization import heard_file
from daemon.diarization.networks import FRAMES, LOCAL, SIZE
from daemon.diarization.windows import Heard, Stretch
from daemon.handoff import artefacts
from tests.kit.daemon_process import DaemonProcess
from tests.kit.schemas import check

VOICES = {"speakers": {"mode": "voices"}}


@pytest.fixture
def daemon(tmp_path: Path) -> DaemonProcess:
    """Two speakers in a delivered file."""
    daemon = DaemonProcess.faked(tmp_path / "d", VOICES)
    daemon.drop(b"One two three.\nFour five.", "one.wav")
    daemon.once()
    return daemon


def _said(daemon: DaemonProcess) -> list[tuple[str | None, str]]:
    document = daemon.document("one")
    check(document, "transcript")
    return [(one.get("speaker"), one["text"]) for one in document["segments"]]


def test_they_are_shown_and_named_in_every_file(daemon: DaemonProcess) -> None:
    shown = daemon.call("speakers", "1")
    assert [line.split()[:2] for line in shown.stdout.splitlines()] == [
        ["1", "SPEAKER_00"],
        ["2", "SPEAKER_01"],
    ]
    named = daemon.call("speakers", "one.wav", "--name", "1=Ada", "--name", "2=Bob Ray")
    assert named.returncode == 0, named.stderr
    assert _said(daemon) == [("Ada", "One"), ("Bob Ray", "two three."), ("Bob Ray", "Four five.")]
    text = (daemon.config.paths.outbox / "one.txt").read_text()
    assert "Ada" in text
    assert "SPEAKER" not in text + (daemon.config.paths.outbox / "one.vtt").read_text()


def test_a_file_that_was_changed_by_hand_is_left_as_it_is(daemon: DaemonProcess) -> None:
    text = daemon.config.paths.outbox / "one.txt"
    text.write_text("corrected")
    named = daemon.call("speakers", "1", "--name", "1=Ada")
    assert named.returncode == 1
    assert "one.txt was changed by hand" in named.stdout
    assert text.read_text() == "corrected"
    assert _said(daemon)[0] == ("Ada", "One")
    assert daemon.call("speakers", "1", "--name", "1=Eve", "--force").returncode == 0
    assert "Eve" in text.read_text()


@pytest.mark.parametrize("wrong", ["3=Ada", "Ada", "1=", "0=Ada", "1=SPEAKER_01"])
def test_a_name_that_fits_nobody(wrong: str, daemon: DaemonProcess) -> None:
    before = daemon.document("one")
    assert daemon.call("speakers", "1", "--name", wrong).returncode == 2
    assert daemon.document("one") == before


def test_they_are_counted_anew(daemon: DaemonProcess) -> None:
    missing = daemon.call("speakers", "1", "--count", "1")
    assert missing.returncode == 1
    assert "transcribe it again" in missing.stderr
    active = np.zeros((FRAMES, LOCAL), np.bool_)
    active[:200, 0] = True
    voice = np.full((1, SIZE), 1 / np.sqrt(SIZE), np.float32)
    heard = Heard(64_000, [active], [Stretch(0, 0, 0.0, 3.4, ((0.0, 3.4),), voice, (True,))])
    folder = daemon.config.paths.state / "jobs" / "1"
    heard_file.save(folder / artefacts.VOICES, heard)
    counted = daemon.call("speakers", "1", "--count", "1", "--name", "1=Ada")
    assert counted.returncode == 0, counted.stderr
    assert {speaker for speaker, _ in _said(daemon)} == {"Ada"}


def test_a_job_whose_speakers_nobody_asked_for(tmp_path: Path) -> None:
    daemon = DaemonProcess.faked(tmp_path / "d")
    daemon.drop(b"One two three.\nFour five.", "one.wav")
    daemon.once()
    refused = daemon.call("speakers", "1")
    assert refused.returncode == 1
    assert "--speakers voices" in refused.stderr


def test_who_was_named_is_named_again_in_other_files_until_forgotten(tmp_path: Path) -> None:
    remembering = {"speakers": {"mode": "voices", "remember": True}}
    daemon = DaemonProcess.faked(tmp_path / "d", remembering)
    daemon.drop(b"One two three.", "one.wav")
    daemon.once()
    assert daemon.call("speakers", "one.wav", "--name", "2=Bob").returncode == 0
    daemon.drop(b"Four five six.", "two.wav")
    daemon.once()
    assert [one["speaker"] for one in daemon.document("two")["speakers"]] == ["SPEAKER_00", "Bob"]
    assert daemon.call("speakers", "forget", "Bob").returncode == 0
    assert daemon.call("speakers", "forget", "Bob").returncode == 1
    daemon.drop(b"Seven eight.", "three.wav")
    daemon.once()
    assert daemon.document("three")["speakers"][1]["speaker"] == "SPEAKER_01"
    assert daemon.call("speakers", "forget").returncode == 0
    assert not (daemon.config.paths.state / "voices.json").exists()


def test_no_voice_is_remembered_unasked(daemon: DaemonProcess) -> None:
    assert daemon.call("speakers", "1", "--name", "1=Ada").returncode == 0
    assert not (daemon.config.paths.state / "voices.json").exists()
