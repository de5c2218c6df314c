"""Settings belong to the stage that uses them, and are read when it begins."""

from __future__ import annotations

from pathlib import Path

from daemon.__main__ import main
from tests.kit.daemon_process import DaemonProcess


def _set(daemon: DaemonProcess, key: str, value: str) -> None:
    assert main(["--config", str(daemon.root / "config.toml"), "config", "set", key, value]) == 0


def test_a_corrected_configuration_frees_the_queue_and_is_what_provenance_tells(
    tmp_path: Path,
) -> None:
    """The recording was prepared under the old settings; it is transcribed under the new."""
    daemon = DaemonProcess.faked(tmp_path / "d", transcribe="full_disk")
    _set(daemon, "transcribe.language", "de")
    _set(daemon, "transcribe.initial_prompt", "Zebra")
    daemon.drop(b"one", "one.wav")
    assert daemon.once("run", "--once").returncode != 0
    assert daemon.delivered() == []
    _set(daemon, "transcribe.language", "English")
    _set(daemon, "transcribe.initial_prompt", "''")
    assert daemon.acting().once("run", "--once").returncode == 0
    options = daemon.document("one")["provenance"]["options"]
    assert options == {"language": "en", "languages": [], "initial_prompt": False, "align": True}
    _set(daemon, "transcribe.language", "fr")  # later settings do not change what was done
    assert daemon.document("one")["provenance"]["options"]["language"] == "en"


def test_provenance_tells_the_settings_of_the_transcription_not_of_the_delivery(
    tmp_path: Path,
) -> None:
    daemon = DaemonProcess.faked(tmp_path / "d", align="full_disk")
    _set(daemon, "transcribe.language", "de")
    daemon.drop(b"one", "one.wav")
    assert daemon.once("run", "--once").returncode != 0
    _set(daemon, "transcribe.language", "''")
    assert daemon.acting().once("run", "--once").returncode == 0
    assert daemon.document("one")["provenance"]["options"]["language"] == "de"
