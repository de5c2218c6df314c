"""The command line's verbs about jobs: jobs, cancel, render; and models verify."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from daemon.ledger.cancellations import Cancellations
from daemon.models import checksums, registry
from tests.kit.daemon_process import DaemonProcess, running


@pytest.fixture
def daemon(tmp_path: Path) -> DaemonProcess:
    """Folders and a configuration; nothing runs."""
    return DaemonProcess.faked(tmp_path / "d")


def _at_the_gate(daemon: DaemonProcess, stage: str) -> None:
    daemon.wait_until(lambda: stage in daemon.working_on(), "it was at the gate")


# jobs


def test_jobs_lists_what_became_of_every_file(daemon: DaemonProcess) -> None:
    assert daemon.call("jobs").stdout == ""
    daemon.drop(b"one", "one.wav")
    daemon.once()
    daemon.drop(b"two", "two.wav")
    daemon.acting(prepare="bad_input").once()
    first, second = daemon.call("jobs").stdout.splitlines()
    assert first.startswith("#2 two.wav: failed  ")
    assert second == "#1 one.wav: done  one"
    assert daemon.call("jobs", "-n", "1").stdout == f"{first}\n"
    (done,) = daemon.call("jobs", "--json", "--next", "done").stdout.splitlines()
    assert (json.loads(done)["job"], json.loads(done)["outputs"]) == (1, "one")


# cancel


@pytest.mark.parametrize("stage", ["prepare", "transcribe", "align"])
def test_a_file_at_work_can_be_given_up_and_comes_back_by_retry(stage: str, tmp_path: Path) -> None:
    gate = tmp_path / "gate"
    with running(DaemonProcess.faked(tmp_path / "d", **{stage: f"gate:{gate}"})) as daemon:
        daemon.drop(b"one", "one.wav")
        _at_the_gate(daemon, stage)
        assert daemon.call("cancel", "1").returncode == 0
        (failed,) = daemon.wait_for("failed")
        assert failed["kind"] == "cancelled"
        assert daemon.error("one.wav")["reason"] == "it was cancelled"
        assert (daemon.config.paths.failed / "one.wav").read_bytes() == b"one"
        assert daemon.delivered() == []
        gate.touch()
        daemon.drop(b"two", "two.wav")
        assert daemon.call("retry", "1").returncode == 0
        daemon.wait_for("done", 2)
        assert daemon.delivered() == ["one", "two"]


def test_what_waits_is_given_up_by_the_next_daemon_at_once(daemon: DaemonProcess) -> None:
    daemon.drop(b"one", "one.wav")
    daemon.acting(transcribe="disk_full").once()
    ended = daemon.call("cancel", "one.wav")
    assert (ended.returncode, "when the daemon runs again" in ended.stdout) == (0, True)
    daemon.once()
    assert daemon.error("one.wav")["kind"] == "cancelled"
    assert daemon.delivered() == []


def test_a_request_that_comes_too_late_changes_nothing(daemon: DaemonProcess) -> None:
    daemon.drop(b"one", "one.wav")
    daemon.once()
    assert daemon.call("cancel", "1").returncode == 1
    requests = Cancellations(daemon.config.paths.state)
    requests.ask(1)
    daemon.once()
    assert requests.asked() == []
    assert daemon.delivered() == ["one"]


# render


def test_formats_that_were_not_delivered_are_rendered_from_the_json(tmp_path: Path) -> None:
    daemon = DaemonProcess.faked(tmp_path / "d", {"output": {"formats": ["srt"]}})
    daemon.drop(b"one", "one.wav")
    daemon.once()
    srt = daemon.output("one.srt").read_bytes()
    assert daemon.call("render", "1", "-f", "txt,vtt").returncode == 0
    assert daemon.output("one.vtt").read_text().startswith("WEBVTT\n")
    again = daemon.call("render", "one", "-f", "srt,tsv")
    assert again.returncode == 1
    assert "one.srt is there already: left as it is" in again.stdout
    assert daemon.output("one.srt").read_bytes() == srt
    assert daemon.output("one.tsv").exists()
    elsewhere = tmp_path / "elsewhere"
    assert daemon.call("render", "one", "-f", "srt", "-o", str(elsewhere)).returncode == 0
    assert (elsewhere / "one.srt").read_bytes() == srt


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("none",), 1, "no such delivered job"),
        (("one.timing",), 1, "is no transcript of ours"),
        (("one", "-f", "pdf"), 2, "pdf: no such format"),
    ],
)
def test_what_cannot_be_rendered_is_said_in_one_line(
    daemon: DaemonProcess, arguments: tuple[str, ...], code: int, words: str
) -> None:
    daemon.drop(b"one", "one.wav")
    daemon.once()
    ended = daemon.call("render", *arguments)
    assert ended.returncode == code
    (line,) = ended.stderr.splitlines()
    assert words in line


# models


def test_models_verify_holds_the_bundled_weights_against_their_digests(
    daemon: DaemonProcess,
) -> None:
    ended = daemon.call("models", "verify")
    assert ended.returncode == 0, ended.stdout
    assert ended.stdout.splitlines()[0].split()[:2] == ["ok", "base"]


def test_models_verify_holds_converted_aligners_against_what_was_recorded(
    daemon: DaemonProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    copy = registry.aligner_conversions(os.environ) / ("0" * 64)
    copy.mkdir(parents=True)
    (copy / "model.safetensors").write_bytes(b"weights")
    checksums.record(copy / "model.safetensors")
    assert "ok   aligner 00000000 1 files" in daemon.call("models", "verify").stdout
    (copy / "model.safetensors").write_bytes(b"others")
    ended = daemon.call("models", "verify")
    assert ended.returncode == 1
    assert "BAD  aligner 00000000" in ended.stdout
