"""A number, a name and a path mean the same in every command, and never another file."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.__main__ import main
from daemon.commands.find_job import find_job, number_of
from daemon.errors import DropscribeError
from tests.kit.queue_on_disk import QueueOnDisk


@pytest.fixture
def queue(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> QueueOnDisk:
    monkeypatch.chdir(tmp_path)
    return QueueOnDisk(tmp_path / "q")


def _found(queue: QueueOnDisk, which: str) -> int:
    with queue.ledger() as ledger:
        return find_job(ledger, queue.config.paths, which).id


@pytest.mark.parametrize("which", ["12", "#12", "job-12", "job-012", "012"])
def test_a_number_may_be_written_in_several_ways(which: str) -> None:
    assert number_of(which) == 12


def test_a_number_is_a_jobs_number_whatever_files_are_called(queue: QueueOnDisk) -> None:
    first = queue.done("german-20s.flac", "german-20s")
    queue.done("1.wav", "1")
    assert first.id == 1
    assert _found(queue, "1") == 1
    assert _found(queue, "1.wav") == 2


def test_a_name_that_is_a_number_serves_where_no_job_has_that_number(queue: QueueOnDisk) -> None:
    assert queue.done("77.wav", "77").id == 1
    assert _found(queue, "77") == 1


@pytest.mark.parametrize("which", ["talk.mp4", "talk (2)"])
def test_the_newest_of_a_name_is_meant(which: str, queue: QueueOnDisk) -> None:
    queue.done("talk.mp4", "talk")
    queue.done("talk.mp4", "talk (2)")
    assert _found(queue, which) == 2


@pytest.mark.parametrize("place", ["inbox", "done", "outbox"])
def test_a_path_is_that_very_file_before_and_after_it_was_filed_away(
    place: str, queue: QueueOnDisk
) -> None:
    queue.done("talk.mp4", "talk")
    name = "talk.json" if place == "outbox" else "talk.mp4"
    assert _found(queue, str(getattr(queue.config.paths, place) / name)) == 1


@pytest.mark.parametrize(
    "which",
    ["German/talk.mp4", "German/talk", "inbox/German/talk.mp4", "done/German/talk.mp4",
     "outbox/German/talk.json"],
)  # fmt: skip
def test_a_recording_in_a_folder_has_names_and_paths_as_others_have(
    which: str, queue: QueueOnDisk
) -> None:
    queue.done("German/talk.mp4", "German/talk")
    queue.done("talk.mp4", "talk")
    kind, _, _ = which.partition("/")
    place = str(queue.config.paths.inbox.parent / which) if kind.islower() else which
    assert _found(queue, place) == 1
    assert _found(queue, "talk") == 2


@pytest.mark.parametrize("which", ["other/talk.mp4", "./talk.mp4", "talk.mp4"])
def test_a_file_of_the_same_name_elsewhere_is_not_taken_for_it(
    which: str, queue: QueueOnDisk, tmp_path: Path
) -> None:
    queue.done("talk.mp4", "talk")
    for path in (tmp_path / "other" / "talk.mp4", tmp_path / "talk.mp4"):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"another recording")
    with pytest.raises(DropscribeError, match="job 1 is of another file of that name"):
        _found(queue, which)


def test_what_is_nowhere_is_said_to_be_nowhere(queue: QueueOnDisk) -> None:
    with pytest.raises(DropscribeError, match=r"none\.wav: no such job; see: dropscribe jobs"):
        _found(queue, "none.wav")
    with pytest.raises(DropscribeError, match="there is no job 12"):
        _found(queue, "job-012")


# In the commands


def _call(queue: QueueOnDisk, *arguments: str) -> int:
    return main([*arguments, "--config", str(queue.config_path)])


def test_render_reads_the_file_that_a_path_names(queue: QueueOnDisk, tmp_path: Path) -> None:
    queue.done("talk.mp4", "talk", "The delivered text.")
    other = tmp_path / "other" / "talk.json"
    other.parent.mkdir()
    text = (queue.config.paths.outbox / "talk.json").read_text()
    other.write_text(text.replace("The delivered", "Another"))
    out = tmp_path / "out"
    for which in ("other/talk.json", str(other)):
        assert _call(queue, "render", which, "-f", "txt", "-o", str(out), "--force") == 0
        assert "Another text." in (out / "talk.txt").read_text()
    assert _call(queue, "render", "talk", "-f", "txt", "-o", str(out), "--force") == 0
    assert "The delivered text." in (out / "talk.txt").read_text()
    assert _call(queue, "render", "./none.json", "-f", "txt") == 1


def test_render_overwrites_only_when_told_to(queue: QueueOnDisk) -> None:
    queue.done("talk.mp4", "talk")
    srt = queue.config.paths.outbox / "talk.srt"
    srt.write_text("corrected by hand")
    assert _call(queue, "render", "1", "-f", "srt") == 1
    assert srt.read_text() == "corrected by hand"
    assert _call(queue, "render", "1", "-f", "srt", "--force") == 0
    assert "Hello there." in srt.read_text()


def test_cancel_takes_each_of_them(queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]) -> None:
    jobs = [queue.waiting(f"{name}.wav", name.encode()) for name in ("a", "b", "c")]
    assert _call(queue, "cancel", "1", "b.wav", str(jobs[2].source)) == 0
    assert capsys.readouterr().out.count("when the daemon runs again") == 3
    asked = sorted(path.name for path in (queue.config.paths.state / "cancel").iterdir())
    assert asked == ["1", "2", "3"]


def test_one_wrong_name_among_several_cancels_none(queue: QueueOnDisk) -> None:
    queue.waiting("a.wav")
    assert _call(queue, "cancel", "1", "none.wav") == 1
    assert not (queue.config.paths.state / "cancel").exists()


@pytest.mark.parametrize("command", ["show", "wait", "render"])
def test_other_commands_say_the_same_of_what_is_nowhere(
    command: str, queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.done("talk.mp4", "talk")
    assert _call(queue, command, "none.wav") == 1
    assert "none.wav: no such" in capsys.readouterr().err


def test_a_finished_job_shows_what_is_known_of_it(
    queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.done("talk.mp4", "talk")
    queue.failed("bad.wav")
    assert _call(queue, "show", "talk.mp4", "--json") == 0
    told = capsys.readouterr().out
    assert '"schema_version": 1' in told
    assert str(queue.config.paths.outbox / "talk.json") in told
    assert _call(queue, "show", "2") == 0
    assert "cannot be decoded" in capsys.readouterr().out


def test_wait_ends_with_what_became_of_them(
    queue: QueueOnDisk, capsys: pytest.CaptureFixture[str]
) -> None:
    queue.done("talk.mp4", "talk")
    queue.failed("bad.wav")
    assert _call(queue, "wait", "talk.mp4") == 0
    assert _call(queue, "wait", "1", "bad.wav") == 1
    assert "#2 bad.wav: failed: cannot be decoded" in capsys.readouterr().out
    assert _call(queue, "wait") == 0  # nothing is left to do
    queue.waiting("more.wav")
    assert _call(queue, "wait") == 75
    assert "the daemon does not run: 1 files wait" in capsys.readouterr().err
