"""Rows F01 to F20: how files arrive, change and leave."""

from __future__ import annotations

import json
import os
import time

import pytest

from tests.faults.conftest import MakeDaemon
from tests.kit.daemon_process import wait_until
from tests.kit.fake_recording import recording, said
from tests.kit.fault_daemon import FaultDaemon

pytestmark = pytest.mark.usefixtures("forked_stages")

_SETTLE = {"watch": {"settle_seconds": 0.6, "empty_seconds": 1.5, "rescan_seconds": 0.3}}
_JUNK = (
    "a.wav.crdownload",
    "b.wav.part",
    "c.partial",
    ".syncthing.d.wav.tmp",
    ".e.wav.AbC123",
    "Unconfirmed 1.crdownload",
    "._f.wav",
    ".DS_Store",
    "Icon\r",
    ".localized",
    ".g.wav.icloud",
    "~$h.wav",
)


def test_a_slow_copy_is_one_job_and_waits_until_it_is_still_f01_f04(make: MakeDaemon) -> None:
    daemon = make(_SETTLE)
    content = recording("a slow copy")
    daemon.dropped.append(content)
    path = daemon.config.paths.inbox / "slow.wav"
    with path.open("wb", buffering=0) as file:
        file.write(content[:2])
        daemon.start()  # in the middle of the copy
        for byte in content[2:]:
            file.write(bytes([byte]))
            time.sleep(0.1)
        assert not daemon.events("queued")
    daemon.wait_for("done")
    daemon.end()
    assert len(daemon.events("queued")) == 1
    assert daemon.violations() == []


def test_a_writer_that_pauses_is_waited_for_f01(make: MakeDaemon) -> None:
    """It stands still for longer than `settle_seconds`, but it is still open."""
    daemon = make({"watch": {"settle_seconds": 0.2, "rescan_seconds": 0.2}})
    content = recording("a recorder that pauses")
    daemon.dropped.append(content)
    path = daemon.config.paths.inbox / "paused.wav"
    with path.open("wb", buffering=0) as file:
        file.write(content[:10])
        daemon.start()
        daemon.wait_until(lambda: bool(daemon.events("waiting")), "it is waited for")
        assert "still has it open for writing" in daemon.events("waiting")[0]["reason"]
        daemon.wait_until(
            lambda: "paused.wav waits" in daemon.call("status").stdout, "status says so"
        )
        time.sleep(1)
        assert not daemon.events("queued")
        file.write(content[10:])
    daemon.wait_for("done")
    daemon.end()
    assert daemon.violations() == []


def test_a_folder_of_folders_is_mirrored_and_swept(make: MakeDaemon) -> None:
    daemon = make({"limits": {"stall_seconds": 60.0}})
    paths = daemon.config.paths
    for folder in ("Interviews", "Interviews/day two", "other"):
        (paths.inbox / folder).mkdir(parents=True)
        for name in ("a", "b"):
            daemon.dropped.append(recording(f"{folder} {name}"))
            (paths.inbox / folder / f"{name}.wav").write_bytes(daemon.dropped[-1])
    (paths.inbox / "other" / "notes.txt").touch()
    daemon.drained()
    for folder in ("Interviews", "Interviews/day two", "other"):
        assert sorted(path.name for path in (paths.done / folder).glob("*.wav")) == [
            "a.wav",
            "b.wav",
        ]
        text = json.loads((paths.outbox / folder / "a.json").read_bytes())["text"]
        assert text == f"{folder} a"
    assert [path.name for path in paths.inbox.iterdir()] == ["other"], "nothing else was in them"
    assert any("other/notes.txt" in event["message"] for event in daemon.events("ignored"))


@pytest.mark.parametrize("how", ["grow", "rewrite", "hide"])
def test_a_file_that_changes_while_it_is_decoded_is_read_anew_f02_f03_f08_f09(
    make: MakeDaemon, how: str
) -> None:
    daemon = make()
    daemon.give("moving.wav", "before", f"prepare {how} 1")
    daemon.drained()
    (stem,) = daemon.delivered()
    archived = next(daemon.config.paths.done.iterdir()).read_bytes()
    assert daemon.document(stem)["text"] == " ".join(said(archived))
    daemon.dropped = [archived]
    assert daemon.violations() == []


@pytest.mark.parametrize("stage", ["transcribe", "align"])
def test_a_file_rewritten_after_it_was_decoded_never_yields_the_old_words_f08(
    make: MakeDaemon, stage: str
) -> None:
    daemon = make()
    daemon.give("moving.wav", "before", f"{stage} rewrite 1")
    daemon.drained()
    (stem,) = daemon.delivered()
    assert daemon.document(stem)["text"] == "rewritten"
    daemon.dropped = [b"rewritten\n"]
    assert daemon.violations() == []


@pytest.mark.parametrize("stage", ["prepare", "transcribe", "align"])
def test_a_rename_in_the_inbox_is_followed_f06(make: MakeDaemon, stage: str) -> None:
    daemon = make()
    daemon.give("old.wav", "renamed", f"{stage} rename 1")
    daemon.drained()
    assert daemon.delivered() == ["renamed-old"]
    assert daemon.violations() == []


_AFTER_READING = ("transcribe", "align", "publish")


def test_a_file_that_is_renamed_and_then_touched_is_delivered_once_f06(make: MakeDaemon) -> None:
    daemon = make()
    for stage in _AFTER_READING:
        daemon.give(f"{stage}.wav", f"renamed amid {stage}", f"{stage} rename_and_touch 1")
        daemon.give(f"{stage}2.wav", f"copied amid {stage}", f"{stage} copy_and_delete 1")
    often = [f"{stage} rename_and_touch 1" for stage in _AFTER_READING]
    daemon.give("often.wav", "renamed again and again", *often)
    daemon.drained()
    delivered = daemon.delivered()
    for stage in _AFTER_READING:
        assert {f"renamed-{stage}", f"renamed-{stage}2"} < set(delivered)
    assert delivered == sorted(path.stem for path in daemon.config.paths.done.iterdir())
    assert daemon.violations() == []


def test_a_file_that_is_moved_into_a_folder_and_touched_is_delivered_once_f06(
    make: MakeDaemon,
) -> None:
    daemon = make({"watch": {"recursive": True}})
    for stage in _AFTER_READING:
        daemon.give(f"{stage}.wav", f"moved amid {stage}", f"{stage} move_and_touch 1")
    daemon.drained()
    assert daemon.delivered() == []
    inside = [path.name for path in daemon.config.paths.outbox.glob("folder/*.txt")]
    assert sorted(inside) == sorted(f"{stage}.txt" for stage in _AFTER_READING)


def test_a_file_deleted_before_it_was_read_is_gone_and_blocks_nobody_f07(make: MakeDaemon) -> None:
    daemon = make()
    daemon.give("gone.wav", "gone", "prepare vanish 1")
    daemon.give("other.wav", "other")
    daemon.drained()
    assert daemon.delivered() == ["other"]
    assert len(daemon.events("gone")) == 1
    daemon.dropped = daemon.dropped[1:]
    assert daemon.violations() == []


def test_a_file_deleted_after_it_was_read_is_delivered_all_the_same_f07(
    make: MakeDaemon,
) -> None:
    daemon = make()
    daemon.give("gone.wav", "still delivered", "transcribe vanish 1")
    daemon.drained()
    assert daemon.document("gone")["text"] == "still delivered"
    assert daemon.violations(lost=1) == []


def test_a_new_file_in_a_deleted_ones_inode_is_not_taken_for_a_rename_f06_f70(
    make: MakeDaemon,
) -> None:
    daemon = make({"output": {"source": "keep"}})
    daemon.give("first.wav", "the first", "transcribe slow 1")
    daemon.start()
    daemon.wait_for("prepared")
    (daemon.config.paths.inbox / "first.wav").unlink()
    for number in range(5):  # file systems like to give the number of a deleted file again
        daemon.drop(recording(f"new {number}"), f"new-{number}.wav")
    daemon.wait_for("done", 6)
    assert daemon.document("first")["text"] == "the first"


def test_a_touch_makes_no_second_delivery_f10(make: MakeDaemon) -> None:
    daemon = make({"output": {"source": "keep"}})
    path = daemon.give("touched.wav", "touched")
    daemon.drained()
    path.touch()
    os.setxattr(path, "user.comment", b"scanned")
    daemon.drained()
    assert daemon.delivered() == ["touched"]


def test_the_same_name_again_is_a_new_recording_with_a_name_of_its_own_f11(
    daemon: FaultDaemon,
) -> None:
    daemon.give("memo.wav", "first")
    daemon.drained()
    daemon.give("memo.wav", "second")
    daemon.drained()
    assert daemon.delivered() == ["memo", "memo (2)"]
    assert daemon.document("memo")["text"] == "first"
    assert daemon.violations() == []


def test_partial_and_foreign_names_are_left_alone_until_they_get_their_real_name_f12_f15(
    daemon: FaultDaemon,
) -> None:
    for name in _JUNK:
        (daemon.config.paths.inbox / name).write_bytes(recording("partial"))
    (daemon.config.paths.inbox / "bundle.wav.download").mkdir()
    daemon.drained()
    assert not daemon.delivered()
    assert set(_JUNK) < set(daemon.inbox_names())
    inbox = daemon.config.paths.inbox
    (inbox / "a.wav.crdownload").rename(inbox / "a.wav")
    daemon.drained()
    assert daemon.delivered() == ["a"]


def test_an_empty_file_gets_a_longer_grace_and_then_a_reason_f13(make: MakeDaemon) -> None:
    daemon = make({"watch": {"empty_seconds": 1.0}})
    daemon.drop(b"", "waiting.wav")
    (daemon.config.paths.inbox / "waiting.wav.part").write_bytes(b"x")
    daemon.drop(b"", "empty.wav")
    daemon.start()
    daemon.wait_for("failed")
    assert daemon.error("empty.wav")["reason"] == "the file is empty"
    inbox = daemon.config.paths.inbox
    (inbox / "waiting.wav.part").rename(inbox / "waiting.wav")
    daemon.wait_for("done")


def test_a_file_that_another_process_holds_open_is_not_required_to_be_closed_f18(
    daemon: FaultDaemon,
) -> None:
    path = daemon.give("open.wav", "held open")
    with path.open("ab"):
        daemon.drained()
    assert daemon.violations() == []


def test_a_folder_with_the_name_of_a_recording_is_a_folder_f20(make: MakeDaemon) -> None:
    daemon = make({"limits": {"stall_seconds": 60.0}})
    folder = daemon.config.paths.inbox / "album.wav"
    folder.mkdir()
    daemon.dropped.append(recording("inside"))
    (folder / "inside.wav").write_bytes(daemon.dropped[0])
    (daemon.config.paths.inbox / "empty").mkdir()
    daemon.drained()
    assert (daemon.config.paths.done / "album.wav" / "inside.wav").exists()
    assert daemon.inbox_names() == ["empty"], "a folder that nobody filled is left alone"


def test_stopped_while_it_waits_a_file_is_simply_found_again_f04(make: MakeDaemon) -> None:
    daemon = make({"watch": {"settle_seconds": 3.0}})
    daemon.give("waits.wav", "waits")
    daemon.start()
    wait_until(lambda: daemon.inbox_names() == ["waits.wav"], "it was dropped")
    daemon.kill()
    assert daemon.drained().violations() == []


_HASTY = {"watch": {"settle_seconds": 0.1, "rescan_seconds": 0.2, "patience_seconds": 0.0}}


@pytest.mark.parametrize("begins", ["the first half", "a header"])
def test_what_was_filed_away_too_early_is_healed_when_the_rest_arrives(
    make: MakeDaemon, begins: str
) -> None:
    """Its writer is on another machine: nobody can see that it is still open."""
    daemon = make(_HASTY)
    paths = daemon.config.paths
    daemon.drop(recording(begins), "talk.wav")
    daemon.start()
    filed = paths.done if begins == "the first half" else paths.failed
    daemon.wait_for("done" if filed == paths.done else "failed")
    with (filed / "talk.wav").open("ab") as file:
        file.write(b"and the rest\n")
    daemon.wait_until(lambda: "and the rest" in _text(daemon, "talk"), "it was delivered whole")
    daemon.wait_until((paths.done / "talk.wav").exists, "it was filed away")
    time.sleep(1.0)  # several more looks
    daemon.end()
    assert len(daemon.events("grown")) == 1
    assert sorted(path.name for path in paths.outbox.glob("*.txt")) == ["talk.txt"]
    assert [path.name for path in paths.done.iterdir()] == ["talk.wav"]
    assert not list(paths.failed.iterdir())


def test_a_half_result_that_somebody_has_changed_stays(make: MakeDaemon) -> None:
    daemon = make(_HASTY)
    paths = daemon.config.paths
    daemon.drop(recording("the first half"), "talk.wav")
    daemon.start()
    daemon.wait_for("done")
    edited = paths.outbox / "talk.txt"
    edited.write_text("my notes")
    later = time.time() + 60
    os.utime(edited, (later, later))
    daemon.drop(recording("the first half\nand the rest"), "talk.wav")
    daemon.wait_for("done", 2)
    daemon.end()
    assert edited.read_text() == "my notes"
    assert "and the rest" in _text(daemon, "talk (2)")


def _text(daemon: FaultDaemon, stem: str) -> str:
    path = daemon.config.paths.outbox / f"{stem}.txt"
    return path.read_text() if path.exists() else ""
