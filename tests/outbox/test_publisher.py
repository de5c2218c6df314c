"""Results into the outbox, recordings to done/ or failed/, as the jobs end.

The supervisor is the real one; the stages are fakes that need no model.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

import pytest

from daemon.domain.job import Stage
from daemon.files.atomic import sha256_of
from daemon.files.background import Background, UnderWayError
from daemon.files.state_folder import TEMP_PREFIX
from daemon.inbox.scan import candidate
from daemon.ledger.ledger import Ledger
from daemon.outbox import placing
from daemon.outbox.publisher import Publisher
from daemon.processes.attempts import Attempts
from daemon.rendering.formats import FORMATS
from tests.kit import schemas
from tests.kit.daemon_process import configured
from tests.kit.fake_commands import fake_commands
from tests.kit.fake_recording import recording
from tests.kit.pipeline import RECORDING, run_all, run_one


def test_a_delivered_recording_is_archived(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands())
    paths = ended.config.paths
    assert ended.job.next is Stage.DONE
    assert (paths.done / "memo.wav").read_bytes() == RECORDING
    assert not list(paths.inbox.iterdir())


@pytest.mark.parametrize(("policy", "stays"), [("keep", True), ("delete", False)])
def test_the_recording_goes_where_the_configuration_says(
    tmp_path: Path, policy: str, stays: bool
) -> None:
    ended = run_one(tmp_path, fake_commands(), {"output": {"source": policy}})
    paths = ended.config.paths
    assert (paths.inbox / "memo.wav").exists() == stays
    assert not list(paths.done.iterdir())


def test_a_name_that_is_taken_in_done_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "done").mkdir()
    (tmp_path / "done" / "memo.wav").write_bytes(b"an older one")
    run_one(tmp_path, fake_commands())
    assert (tmp_path / "done" / "memo.wav").read_bytes() == b"an older one"
    assert (tmp_path / "done" / "memo (2).wav").read_bytes() == RECORDING


def test_only_the_wanted_formats_appear(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(), {"output": {"formats": ["vtt"]}})
    names = {path.name for path in ended.config.paths.outbox.iterdir()}
    assert names == {"memo.vtt", "memo.json", "memo.timing.json"}


def test_without_alignment_segments_are_delivered_and_no_child_is_started(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(align="segv"), {"align": {"enabled": False}})
    assert ended.document["alignment"]["status"] == "skipped"
    assert ended.document["alignment"]["reason"] == "alignment is switched off"
    assert ended.records[Stage.ALIGN].starts == 0


def test_a_failed_recording_is_moved_with_the_reason_beside_it(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(prepare="bad_input"))
    assert ended.job.next is Stage.FAILED
    assert (ended.config.paths.failed / "memo.wav").read_bytes() == RECORDING
    assert ended.error["reason"] == "this is not a recording"
    assert ended.error["attempts"] == {"prepare": 1}
    assert not list(ended.config.paths.outbox.iterdir())


def test_a_failed_recording_that_is_kept_stays(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(prepare="bad_input"), {"output": {"source": "keep"}})
    assert (ended.config.paths.inbox / "memo.wav").read_bytes() == RECORDING
    assert ended.error["reason"] == "this is not a recording"


def test_a_stage_is_tried_three_times_and_forgiven_before(tmp_path: Path) -> None:
    asked = {
        "bad prepare.wav": "prepare other_attempt",
        "bad transcribe.wav": "transcribe broken_result",
        "good prepare.wav": "prepare segv 1",
        "good transcribe.wav": "transcribe no_result 1",
    }
    recordings = {name: recording(name, how) for name, how in asked.items()}
    ends = run_all(tmp_path, recordings, fake_commands(), {"limits": {"retry_seconds": 0.01}})
    for stage in ("prepare", "transcribe"):
        failed, done = ends[f"bad {stage}.wav"], ends[f"good {stage}.wav"]
        assert failed.job.next is Stage.FAILED
        assert failed.error["kind"] == "crashed"
        assert failed.error["attempts"][stage] == 3
        assert [event["stage"] for event in failed.told("retrying")] == [stage, stage]
        assert done.job.next is Stage.DONE
        assert done.timing["stages"][stage]["attempts"] == 2


def test_a_delivered_job_leaves_no_large_files_behind(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands())
    left = {path.name for path in (ended.config.paths.state / "jobs" / "1").iterdir()}
    assert not {"audio.npy", "outputs"} & left


@pytest.mark.parametrize(
    ("content", "archived"), [(b"a recording", True), (b"A RECORDING", False)], ids=["same", "new"]
)
def test_a_recording_that_was_touched_is_archived_and_a_changed_one_stays(
    tmp_path: Path, content: bytes, archived: bool
) -> None:
    """What happens to the file while its results are put into the outbox."""
    config = configured(tmp_path, {})
    for folder in (config.paths.inbox, config.paths.done):
        folder.mkdir()
    source = config.paths.inbox / "memo.wav"
    source.write_bytes(b"a recording")
    found = candidate(source)
    assert found is not None
    with closing(Ledger(tmp_path / "ledger.db")) as ledger:
        (job,) = ledger.admit([found], 0.0)
        ledger.set_digest(job.id, sha256_of(source))
        source.write_bytes(content)
        os.utime(source, (1, 1))
        ended = threading.Event()
        background = Background(ended.set)
        publisher = Publisher(config, ledger, tmp_path, background)
        with pytest.raises(UnderWayError):  # its bytes are looked at beside the loop
            publisher.archive(job)
        assert ended.wait(60)
        publisher.archive(job)
    assert (config.paths.done / "memo.wav").exists() == archived
    assert source.exists() == (not archived)


def test_what_is_large_is_removed_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The recording and its decoded audio: out of sight at once, and gone when the daemon ends."""
    monkeypatch.setattr("daemon.outbox.publisher._LARGE", 1)
    ended = run_one(tmp_path, fake_commands(), {"output": {"source": "delete"}})
    paths = ended.config.paths
    assert ended.job.next is Stage.DONE
    assert list(paths.inbox.iterdir()) == []
    assert not list(paths.state.rglob(f"{TEMP_PREFIX}*"))
    assert not list(paths.state.rglob("audio.npy"))


def test_while_a_large_outbox_is_listed_other_work_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Half a million names take seconds; here, until another file is at its end."""
    is_over = threading.Event()

    def listed(_: Iterable[str]) -> set[int]:
        assert is_over.wait(60)
        return {hash("memo")}

    def look(_: Attempts) -> None:
        if list(tmp_path.rglob("bad.wav.error.json")):
            is_over.set()

    monkeypatch.setattr(placing, "_hashed_stems", listed)
    recordings = {"memo.wav": RECORDING, "bad.wav": recording("bad", "transcribe bad_input")}
    ends = run_all(tmp_path, recordings, fake_commands(), on_turn=look)
    assert ends["bad.wav"].job.next is Stage.FAILED
    assert ends["memo.wav"].job.stem == "memo (2)"
    assert ends["memo.wav"].records[Stage.PUBLISH].starts == 1


def test_a_defect_after_a_file_has_ended_leaves_it_at_that_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(Publisher, "clear", fail)
    recordings = {"good.wav": RECORDING, "bad.wav": recording("bad", "prepare bad_input")}
    ends = run_all(tmp_path, recordings, fake_commands())
    assert [ends[name].job.next for name in recordings] == [Stage.DONE, Stage.FAILED]


def test_the_results_are_named_as_the_configuration_says(tmp_path: Path) -> None:
    template = {"output": {"formats": ["txt"], "name": "{language} {stem}"}}
    ended = run_one(tmp_path, fake_commands(), template)
    names = {path.name for path in ended.config.paths.outbox.iterdir()}
    assert names == {"en memo.txt", "en memo.json", "en memo.timing.json"}


def test_compact_documents_do_not_repeat_the_words(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(), {"output": {"compact": True}})
    assert ended.document["segments"][0]["words"]
    assert "word_segments" not in ended.document
    timing = json.loads((ended.config.paths.outbox / "memo.timing.json").read_bytes())
    assert "words" not in timing
    schemas.check(ended.document, "transcript")
    schemas.check(timing, "timing")


def test_every_format_is_delivered(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(), {"output": {"formats": list(FORMATS)}})
    names = {path.name for path in ended.config.paths.outbox.iterdir()}
    assert names >= {f"memo.{one.suffix}" for one in FORMATS.values()}
