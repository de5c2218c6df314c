"""status: for people on a terminal of any width, for pipes, and for programs."""

from __future__ import annotations

import datetime
import io
import json
import os
from pathlib import Path

import pytest
from rich.console import Console

from daemon.__main__ import main
from daemon.commands import estimate, status
from daemon.commands.estimate import PREPARED, Estimate, learn
from daemon.commands.status import look
from daemon.commands.status_view import view
from daemon.config.edit import change
from daemon.domain.job import Job, Stage, StageRecord
from daemon.files.daemon_lock import Lock
from daemon.handoff import artefacts
from daemon.handoff.artefacts import Prepared
from daemon.ledger import queries
from tests.kit.queue_on_disk import QueueOnDisk

LONG = "A very long name of a recording that somebody dropped in on a Friday afternoon (copy).mp3"


@pytest.fixture
def queue(tmp_path: Path) -> QueueOnDisk:
    return QueueOnDisk(tmp_path / "q")


def _prepared(queue: QueueOnDisk, job: int, seconds: float) -> None:
    folder = queue.config.paths.state / "jobs" / str(job)
    folder.mkdir(parents=True)
    content = Prepared("0" * 64, 5, seconds, "wav", "pcm", None, (), ((0.0, seconds),))
    artefacts.write_artefact(folder / artefacts.PREPARED, "", content)


def _at_work(queue: QueueOnDisk) -> None:
    """A daemon that transcribes one file, after another was done at 10 × real time."""
    queue.done("first.wav", "first")
    _prepared(queue, 1, 100.0)
    queue.waiting(LONG)
    with queue.ledger() as ledger:
        ledger.begin(1, Stage.TRANSCRIBE, 1_000.0)
        ledger.end(1, StageRecord(Stage.TRANSCRIBE, ended_at=1_010.0, exit="ok"), None)
    queue.failed("bad.wav")
    (queue.config.paths.inbox / "notes.pdf").touch()
    row = {"job": 2, "name": LONG, "stage": "transcribe", "pid": 1, "waiting": False}
    row |= {"done_seconds": 60.0, "total_seconds": 120.0}
    status = {"state": "working", "reason": "", "watcher": "", "working_on": [row]}
    (queue.config.paths.state / "status.json").write_text(json.dumps(status))


def test_programs_get_a_version_and_what_is_left(
    queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    _at_work(queue)
    with Lock(queue.config.paths.state):
        assert main(["status", "--json", "--config", str(queue.config_path)]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["schema_version"], told["state"], told["failed"]) == (1, "working", 1)
    (row,) = told["daemon"]["working_on"]
    assert (row["speed"], row["eta_seconds"]) == (10.0, 6.0)
    assert told["eta_seconds"] == 6.0
    assert told["left_alone"] == 1


@pytest.mark.parametrize("width", [60, 80, 200])
def test_a_terminal_of_any_width_shows_names_cut_and_numbers_whole(
    width: int, queue: QueueOnDisk
) -> None:
    _at_work(queue)
    with Lock(queue.config.paths.state):
        data = look(queue.config)
    screen = io.StringIO()
    Console(file=screen, width=width).print(view(data))
    lines = screen.getvalue().splitlines()
    assert max(map(len, lines)) <= width
    (row,) = [line for line in lines if "transcribe" in line]
    for shown in ("A", "1:00", "2:00", "10.0 ×", "0:06"):
        assert shown in row
    assert "cannot be" in screen.getvalue() or width < 80


def test_a_pipe_gets_plain_lines(queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]) -> None:
    _at_work(queue)
    assert main(["status", "--config", str(queue.config_path)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("stopped\n1 waiting, 1 done, 1 failed\n")
    assert "1 left alone in the inbox" in said
    assert "\x1b" not in said


@pytest.mark.parametrize(("state", "code"), [("idle", 0), ("paused", 75), ("stopped", 1)])
def test_the_exit_code_tells_the_state_if_asked(state: str, code: int, queue: QueueOnDisk) -> None:
    status = queue.config.paths.state / "status.json"
    status.write_text(json.dumps({"state": state, "reason": "why"}))
    arguments = ["status", "--config", str(queue.config_path)]
    if state == "stopped":
        assert main([*arguments, "--exit-code"]) == code
        return
    with Lock(queue.config.paths.state):
        assert main([*arguments, "--exit-code"]) == code
        assert main(arguments) == 0


def test_a_daemon_that_has_said_nothing_for_long_is_called_silent(
    queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    """It runs; that its process was stopped, too, is tried in tests/faults/test_frozen.py."""
    status = queue.config.paths.state / "status.json"
    arguments = ["status", "--exit-code", "--config", str(queue.config_path)]
    told = {"state": "working", "reason": "", "pid": os.getpid(), "watcher": ""}
    with Lock(queue.config.paths.state):
        for minutes, code in ((0, 0), (10, 75)):
            then = datetime.datetime.now(datetime.UTC) - datetime.timedelta(minutes=minutes)
            status.write_text(json.dumps({**told, "updated": then.isoformat()}))
            assert main(arguments) == code
    said = capsys.readouterr().out
    assert "working\n" in said
    assert "silent: it has not said anything for 10 minutes" in said


def test_a_stopped_queue_says_what_it_would_wait_for(
    queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    change(queue.config_path, "transcribe.model", "nonsense")
    assert main(["status", "--config", str(queue.config_path)]) == 0
    assert capsys.readouterr().out.startswith("stopped: transcribe.model: nonsense is no preset")


@pytest.mark.parametrize("arguments", ["status", "jobs", "status --json", "jobs --json"])
def test_why_a_transcript_is_empty_is_said(
    arguments: str, queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.done("talk.wav", "talk")
    queue.done("silence.wav", "silence")
    empty = {"segments": [], "alignment": {"reason": "no speech was found"}}
    (queue.config.paths.outbox / "silence.json").write_text(json.dumps(empty))
    assert main([*arguments.split(), "--config", str(queue.config_path)]) == 0
    assert capsys.readouterr().out.count("no speech was found") == 1


def test_nothing_is_estimated_before_anything_was_learnt(queue: QueueOnDisk) -> None:
    queue.waiting("a.wav")
    with queue.ledger() as ledger:
        estimate = learn(ledger, queue.config.paths.state)
    assert PREPARED == artefacts.PREPARED
    assert estimate == Estimate({})
    assert estimate.left(Stage.TRANSCRIBE, 1.0, 2.0) is None


def test_of_files_that_were_not_read_the_latest_alone_are_looked_at(
    queue: QueueOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thousands may wait."""
    for number in range(25):
        queue.waiting(f"{number}.wav")
    read: set[object] = set()
    real = queries.job_of

    def job_of(row: tuple[object, ...]) -> Job:
        read.add(row[0])
        return real(row)

    monkeypatch.setattr(queries, "job_of", job_of)
    monkeypatch.setattr(estimate, "_LEARNT_FROM", 1)
    told = look(queue.config)
    assert told["waiting"] == 25
    assert read == {row["job"] for row in told["jobs"]}


@pytest.mark.parametrize("stage", [Stage.DIARIZE, Stage.PUBLISH])
def test_of_a_stage_beside_the_others_nothing_is_estimated(stage: Stage) -> None:
    assert Estimate({Stage.TRANSCRIBE: 10.0}).left(stage, 1.0, 2.0) is None


def test_an_inbox_that_does_not_answer_keeps_nobody_from_the_status(
    queue: QueueOnDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What blocks is a stand-in: the look into the inbox waits for a FIFO, in the kernel."""
    _at_work(queue)
    fifo = queue.config.paths.state / "fifo"
    os.mkfifo(fifo)
    monkeypatch.setattr(status, "left_alone", lambda *_: fifo.read_bytes())
    monkeypatch.setattr(status, "_FOLDER_SECONDS", 0.1)
    told = look(queue.config)
    os.close(os.open(fifo, os.O_WRONLY))
    assert told["left_alone"] == 0
    assert told["done"] == 1


def test_of_files_in_folders_the_folder_is_told(
    queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.done("German/talk.mp4", "German/talk")
    queue.waiting("Spanish/talk.mp4")
    for verb in ("status", "jobs", "inbox"):
        assert main([verb, "--config", str(queue.config_path)]) == 0
        said = capsys.readouterr().out
        assert "Spanish/talk.mp4: " in said
        assert verb == "inbox" or "German/talk.mp4: done  German/talk" in said
    rows = look(queue.config)["jobs"]
    assert [(row["folder"], row["name"]) for row in rows] == [
        ("Spanish", "talk.mp4"),
        ("German", "talk.mp4"),
    ]


@pytest.mark.parametrize(
    ("verb", "code"),
    [("status", 0), ("jobs", 0), ("show 1", 0), ("inbox", 0), ("speakers 1", 1)],
)
def test_no_name_of_a_folder_or_file_forges_what_a_terminal_shows(
    verb: str, code: int, queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.done("\u202egnp\x1b[31m/talk\x1b[2J.mp4", "\u202egnp\x1b[31m/talk")
    queue.waiting("\u202egnp\x1b[31m/\x1b[2J.mp4")
    assert main([*verb.split(), "--config", str(queue.config_path)]) == code
    answer = capsys.readouterr()
    assert "\\x1b[" in answer.out + answer.err
    assert not {"\u202e", "\x1b"} & set(answer.out + answer.err)
