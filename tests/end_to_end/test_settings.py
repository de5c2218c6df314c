"""Settings belong to the stage that uses them, and are read when it begins."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from daemon.__main__ import main
from tests.kit.accuracy import AUDIO
from tests.kit.daemon_process import DEMO, DaemonProcess, running


def _set(daemon: DaemonProcess, key: str, value: str) -> None:
    assert main(["--config", str(daemon.root / "config.toml"), "config", "set", key, value]) == 0


def test_a_corrected_configuration_frees_the_queue_and_is_what_provenance_tells(
    tmp_path: Path,
) -> None:
    """The recording was prepared under the old settings; it is transcribed under the new."""
    daemon = DaemonProcess.faked(tmp_path / "d", transcribe="disk_full")
    _set(daemon, "transcribe.language", "de")
    _set(daemon, "transcribe.initial_prompt", "Zebra")
    daemon.drop(b"one", "one.wav")
    assert daemon.once().returncode != 0
    assert daemon.delivered() == []
    _set(daemon, "transcribe.language", "English")
    _set(daemon, "transcribe.initial_prompt", "''")
    assert daemon.acting().once().returncode == 0
    options = daemon.document("one")["provenance"]["options"]
    assert options == {"language": "en", "languages": [], "initial_prompt": False, "align": True}
    _set(daemon, "transcribe.language", "fr")  # later settings do not change what was done
    assert daemon.document("one")["provenance"]["options"]["language"] == "en"


def test_provenance_tells_the_settings_of_the_transcription_not_of_the_delivery(
    tmp_path: Path,
) -> None:
    daemon = DaemonProcess.faked(tmp_path / "d", align="disk_full")
    _set(daemon, "transcribe.language", "de")
    daemon.drop(b"one", "one.wav")
    assert daemon.once().returncode != 0
    _set(daemon, "transcribe.language", "''")
    assert daemon.acting().once().returncode == 0
    assert daemon.document("one")["provenance"]["options"]["language"] == "de"


def test_a_running_daemon_takes_a_changed_configuration_up_without_losing_work(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the real program, and a model that changes between two recordings."""
    hook, heard = tmp_path / "hook", tmp_path / "heard"
    hook.write_text(f"#!/bin/sh\npwd > {heard}.cwd\ncat > {heard}.new && mv {heard}.new {heard}\n")
    hook.chmod(0o755)
    with running(DaemonProcess.on(tmp_path / "d")) as daemon:
        config = daemon.root / "config.toml"
        _set(daemon, "transcribe.stand_in", "false")
        _set(daemon, "transcribe.model", "tiny")  # which is not here
        daemon.drop(AUDIO / "memo-10s.wav")
        (paused,) = daemon.wait_for("paused")
        assert "dropscribe models fetch tiny" in paused["reason"]
        kept = config.read_text()
        config.write_text("[transcribe]\nmodel = 3\n")
        (refused,) = daemon.wait_for("unconfigured")
        assert "transcribe.model: must be a text in quotes" in refused["reason"]
        config.write_text(kept)
        _set(daemon, "output.formats", "srt")
        _set(daemon, "notify.hook", f"{hook}")
        _set(daemon, "paths.done", str(tmp_path / "elsewhere"))
        _set(daemon, "transcribe.model", str(DEMO["transcribe"]["model"]))
        assert "takes it up" in capsys.readouterr().out
        (done,) = daemon.wait_for("done")
        assert set(done["outputs"]) == {f"memo-10s.{end}" for end in ("srt", "json", "timing.json")}
        changed = [key for event in daemon.events("configured") for key in event["changed"]]
        assert {"transcribe.model", "output.formats", "notify.hook"} <= set(changed)
        assert "paths.done: changed when the daemon starts again" in daemon.log()
        assert (daemon.config.paths.done / "memo-10s.wav").exists()
        daemon.wait_until(heard.exists, "the hook had run")
        told = json.loads(heard.read_bytes())
        assert (told["schema_version"], told["job"], told["name"]) == (1, 1, "memo-10s.wav")
        assert [Path(path).exists() for path in told["outputs"]] == [True] * len(told["outputs"])
        where = Path(f"{heard}.cwd").read_text().strip()
        assert Path(where) == daemon.config.paths.state.resolve()


def test_a_profile_holds_for_its_recordings_and_a_wrong_one_fails_them_alone(
    tmp_path: Path,
) -> None:
    daemon = DaemonProcess.faked(tmp_path / "d")
    inbox = daemon.config.paths.inbox
    (inbox / "dropscribe.toml").write_text("[output]\nformats = ['srt']\n")
    (inbox / "one.toml").write_text(
        "[transcribe]\nlanguage = 'de'\n[vocabulary]\nreplace = { 'two three' = 'twenty-three' }\n"
    )
    (inbox / "bad.toml").write_text("[transcribe]\nlanguage = 'xx'\n")
    (inbox / "last.toml").write_text("[queue]\npriority = 9\n")
    for name in ("bad", "one", "two", "last"):
        daemon.drop(f"One two three. This is {name}.".encode(), f"{name}.wav")
    assert daemon.once().returncode == 0
    assert daemon.delivered() == ["last", "one", "two"]
    began = {name: daemon.timing(name)["stages"]["prepare"]["start"] for name in daemon.delivered()}
    assert (
        min(began, key=lambda name: began[name]) == "last"
    )  # the last to come, the first to begin
    one, two = daemon.document("one"), daemon.document("two")
    assert one["provenance"]["options"]["language"] == "de"
    assert two["provenance"]["options"]["language"] is None
    assert one["text"].startswith("One twenty-three.")
    assert two["text"].startswith("One two three.")
    words = [word["word"] for word in one["word_segments"]]
    assert words[:2] == ["One", "twenty-three."]
    assert not daemon.output("one.txt").exists()
    error = daemon.error("bad.wav")
    assert error["kind"] == "bad_input"
    assert "bad.toml has a problem" in error["reason"]
    assert "transcribe.language: is no language that Whisper knows" in error["reason"]


def test_the_same_content_is_filed_away_once_more_and_results_may_be_shared(
    tmp_path: Path,
) -> None:
    output = {"duplicates": "skip", "mode": "0640", "formats": ["srt"], "index": True}
    hook, heard = tmp_path / "hook", tmp_path / "heard"
    hook.write_text(f"#!/bin/sh\ncat >> {heard}; echo >> {heard}\n")
    hook.chmod(0o755)
    tables = {**DEMO, "output": output, "notify": {"hook": [str(hook)]}}
    daemon = DaemonProcess.faked(tmp_path / "d", tables)
    daemon.drop(b"one", "one.wav")
    assert daemon.once().returncode == 0
    daemon.drop(b"one", "the same.wav")
    daemon.drop(b"two", "two.wav")
    assert daemon.once().returncode == 0
    assert daemon.delivered() == ["one", "two"]
    done = sorted(path.name for path in daemon.config.paths.done.iterdir())
    assert done == ["one.wav", "the same.wav", "two.wav"]
    (skipped,) = daemon.events("unchanged")
    assert skipped["name"] == "the same.wav"
    notices = [json.loads(line) for line in heard.read_text().splitlines()]
    (told,) = (notice for notice in notices if notice["event"] == "unchanged")
    assert told["outputs"] == [str(daemon.config.paths.outbox / "one.json")]
    assert told["recording"] == str(daemon.config.paths.done / "the same.wav")
    for verb in ("jobs", "show 2"):
        assert "the same recording was delivered before" in daemon.call(*verb.split()).stdout
    outbox = daemon.config.paths.outbox
    shared = [*outbox.glob("one.*"), outbox / "index.html", *(outbox / ".index").iterdir()]
    assert {path.stat().st_mode & 0o777 for path in shared} == {0o640}
    assert (outbox / ".index").stat().st_mode & 0o777 == 0o750
    assert daemon.config.paths.outbox.stat().st_mode & 0o777 == 0o750
