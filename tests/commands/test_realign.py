"""Words again: under the job's name, over nothing unless told to, and never a failed alignment."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.config import file as config_file
from tests.kit.accuracy import AUDIO
from tests.kit.daemon_process import DaemonProcess
from tests.kit.queue_on_disk import QueueOnDisk


def test_words_come_again_under_the_jobs_name_and_nothing_that_failed_is_delivered(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    daemon = DaemonProcess.on(tmp_path / "d")
    daemon.drop(AUDIO / "memo-10s.wav")
    assert daemon.call("run", "--once").returncode == 0
    done, out = daemon.config.paths.done, tmp_path / "out"
    shutil.copy(done / "memo-10s.wav", done / "a copy.wav")  # the same bytes, another name
    config = ["--config", str(daemon.root / "config.toml")]

    assert main(["realign", "1", "-o", str(out), "--model", "/none", *config]) == 2
    assert "there is no folder /none with an alignment model" in capsys.readouterr().err
    assert not out.exists()

    aligner = config_file.load(daemon.root / "config.toml").align.model
    assert main(["config", "set", "align.model", "", *config]) == 0  # English's is not here
    assert main(["realign", "1", "-o", str(out), *config]) == 1
    assert "no words could be aligned: the alignment model" in capsys.readouterr().err
    assert not out.exists()
    assert main(["config", "set", "align.model", aligner, *config]) == 0
    capsys.readouterr()

    (done / "memo-10s.wav").unlink()  # only the copy is left
    assert main(["realign", "1", "-o", str(out), *config]) == 0
    assert capsys.readouterr().out.startswith("memo-10s.wav\n")
    document = json.loads((out / "memo-10s.json").read_bytes())
    assert document["alignment"]["status"] == "complete"
    assert document["provenance"]["options"] == daemon.document("memo-10s")["provenance"]["options"]

    (out / "memo-10s.srt").write_text("corrected")
    assert main(["realign", "1", "-o", str(out), "--force", *config]) == 0
    assert "corrected" not in (out / "memo-10s.srt").read_text()
    assert {path.name.partition(".")[0] for path in out.iterdir()} == {"memo-10s"}


def test_of_a_job_whose_files_are_gone_it_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = QueueOnDisk(tmp_path / "q")
    queue.done("talk.mp4", "talk")
    assert main(["realign", "talk.mp4", "--config", str(queue.config_path)]) == 1
    assert "no longer kept: transcribe it again" in capsys.readouterr().err
