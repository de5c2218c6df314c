"""Notices are passed on behind the job's back: nothing they do can hold it up or fail it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from daemon.config.file import save, validated
from daemon.config.settings import Notify, Paths
from daemon.reporting.hook import Hook
from daemon.reporting.notifier import MacNotification, Notice, Notifier, channels
from daemon.reporting.webhook import Webhook

AUDIO = Path(__file__).parents[1] / "audio"
MODELS = Path(__file__).parents[1] / "models"
OUTBOX = Path("/out")
DONE = ("done", "done in 3 s", "meeting.m4a", {"outputs": ["meeting.txt"], "job": 7})


class Ears:
    """A channel that remembers, or does what the test asks."""

    def __init__(self, act: Callable[[threading.Event], object] = lambda _: None) -> None:
        self.heard: list[dict[str, object]] = []
        self._act = act

    def send(self, notice: bytes, stop: threading.Event) -> None:
        self._act(stop)
        self.heard.append(json.loads(notice))


def fail(_: threading.Event) -> None:
    raise OSError("the line is dead")


def test_a_notice_is_told_to_everybody_in_order() -> None:
    first, second, complaints = Ears(), Ears(), list[str]()
    notifier = Notifier([first, second], OUTBOX, complaints.append)
    notifier.on_event(*DONE)
    notifier.on_event("paused", "the disk is full", "", {})
    notifier.close(30)
    assert [notice["event"] for notice in first.heard] == ["done", "paused"]
    assert first.heard == second.heard
    assert complaints == []


def test_the_fields_of_a_notice_are_those_of_the_readme() -> None:
    ears = Ears()
    notifier = Notifier([ears], OUTBOX, lambda _: None)
    notifier.on_event(*DONE)
    notifier.close(30)
    assert ears.heard == [
        {
            "schema_version": 1,
            "event": "done",
            "file": "meeting.m4a",
            "message": "done in 3 s",
            "job": 7,
            "outputs": ["/out/meeting.txt"],
            "outbox": "/out",
        }
    ]


@pytest.mark.parametrize("event", ["queued", "prepared", "retrying", "started", "resumed"])
def test_the_rest_of_the_journal_is_not_told(event: str) -> None:
    ears = Ears()
    notifier = Notifier([ears], OUTBOX, lambda _: None)
    notifier.on_event(event, "…", "a.wav", {})
    notifier.close(30)
    assert ears.heard == []


def test_a_fact_that_is_no_json_is_logged_and_the_next_notice_is_told() -> None:
    ears, complaints = Ears(), list[str]()
    notifier = Notifier([ears], OUTBOX, complaints.append)
    notifier.on_event("done", "", "a.wav", {"speed": float("nan")})
    notifier.on_event(*DONE)
    notifier.close(30)
    assert len(complaints) == 1
    assert len(ears.heard) == 1


def test_one_that_fails_is_logged_and_the_others_still_hear() -> None:
    ears, complaints = Ears(), list[str]()
    notifier = Notifier([Ears(fail), ears], OUTBOX, complaints.append)
    notifier.on_event(*DONE)
    notifier.on_event(*DONE)
    notifier.close(30)
    assert complaints == ["could not tell about meeting.m4a: the line is dead"] * 2
    assert len(ears.heard) == 2


def test_a_channel_that_hangs_holds_up_nobody_and_is_told_to_stop() -> None:
    ears = Ears(threading.Event.wait)
    notifier = Notifier([ears], OUTBOX, lambda _: None)
    for _ in range(2000):
        notifier.on_event(*DONE)
    notifier.close(0.01)
    assert len(ears.heard) == 1


def test_a_channel_that_hangs_keeps_no_other_from_hearing() -> None:
    told = threading.Event()
    deaf = Ears(threading.Event.wait)
    notifier = Notifier([deaf, Ears(lambda _: told.set())], OUTBOX, lambda _: None)
    notifier.on_event(*DONE)
    assert told.wait(60)
    notifier.close(0.01)


def test_with_nobody_to_tell_there_is_no_thread() -> None:
    before = threading.active_count()
    notifier = Notifier([], OUTBOX, lambda _: None)
    notifier.on_event(*DONE)
    assert threading.active_count() == before
    notifier.close(1)


def test_the_configuration_decides_who_is_told(tmp_path: Path) -> None:
    everything = Notify(macos=True, hook=("/bin/true",), webhook="https://example.org/")
    kinds = [type(channel) for channel in channels(everything, tmp_path, "darwin")]
    assert kinds == [MacNotification, Hook, Webhook]
    assert [type(channel) for channel in channels(everything, tmp_path, "linux")] == [Hook, Webhook]
    assert channels(Notify(), tmp_path, "darwin") == ()


@pytest.fixture
def osascript(tmp_path: Path) -> Path:
    """No osascript here: this stand-in writes its arguments down."""
    program = tmp_path / "osascript"
    program.write_text(
        f"#!{sys.executable}\nimport json, sys\n"
        f"open({str(tmp_path / 'got')!r}, 'w').write(json.dumps(sys.argv[1:]))\n"
    )
    program.chmod(0o755)
    return program


def test_a_hostile_name_reaches_macos_as_text_and_never_as_script(
    osascript: Path, tmp_path: Path
) -> None:
    name = '-e do shell script "rm -rf ~" & "\\".wav'
    notice = Notice("failed", name, "not audio", {})
    MacNotification(str(osascript)).send(notice.to_json(), threading.Event())
    arguments = json.loads((tmp_path / "got").read_text())
    script, shown = arguments[:6], arguments[6:]
    assert script[::2] == ["-e", "-e", "-e"]
    assert name not in "".join(script)
    assert shown == ["dropscribe: failed", f"{name}: not audio"]


def test_a_notice_about_the_queue_names_no_file(osascript: Path, tmp_path: Path) -> None:
    notice = Notice("paused", "", "the disk is full", {})
    MacNotification(str(osascript)).send(notice.to_json(), threading.Event())
    assert json.loads((tmp_path / "got").read_text())[6:] == [
        "dropscribe: paused",
        "the disk is full",
    ]


def drain(home: Path, *hook: str) -> None:
    """Run the real daemon over one recording and one file that is none."""
    given = {
        "paths": {key: home / key for key in Paths.__struct_fields__},
        "watch": {"settle_seconds": 0.1},
        "transcribe": {"model": str(MODELS / "whisper-demo")},
        "align": {"enabled": False},
        "notify": {"hook": hook},
    }
    save(validated(given), home / "config.toml")
    (home / "inbox").mkdir()
    shutil.copyfile(AUDIO / "memo-10s.wav", home / "inbox" / "memo.wav")
    (home / "inbox" / "broken.wav").write_bytes(b"this is no audio")
    command = [sys.executable, "-m", "daemon", "--config", home / "config.toml", "run", "--once"]
    subprocess.run(command, check=True, capture_output=True)


def test_a_hook_of_the_real_daemon_hears_of_every_file_done_or_failed(tmp_path: Path) -> None:
    drain(tmp_path, "/bin/sh", "-c", 'cat >> "$0"; echo >> "$0"', str(tmp_path / "heard"))
    heard = [json.loads(line) for line in (tmp_path / "heard").read_text().splitlines()]
    told = {notice["file"]: notice for notice in heard}
    assert told["memo.wav"]["event"] == "done"
    assert told["broken.wav"]["event"] == "failed"
    names = {Path(path).name for path in told["memo.wav"]["outputs"]}
    assert {"memo.txt", "memo.json"} <= names
    assert told["memo.wav"]["recording"] == str(tmp_path / "done" / "memo.wav")
    assert told["broken.wav"]["recording"] == str(tmp_path / "failed" / "broken.wav")
    assert told["memo.wav"]["outbox"] == str(tmp_path / "outbox")


@pytest.mark.slow
def test_a_hook_that_hangs_holds_up_no_file_and_ends_with_the_daemon(tmp_path: Path) -> None:
    drain(tmp_path, "/bin/sh", "-c", 'echo $$ > "$0"; sleep 600', str(tmp_path / "pid"))
    assert (tmp_path / "outbox" / "memo.json").exists()
    assert (tmp_path / "failed" / "broken.wav").exists()
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))
    assert "because the daemon stops" in (tmp_path / "logs" / "daemon.log").read_text()
