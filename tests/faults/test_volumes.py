"""Rows V1 to V6: volumes that lack something, that vanish, or that are one and the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from daemon.files.state_folder import TEMP_PREFIX
from tests.faults.conftest import MakeDaemon
from tests.kit.daemon_process import running, wait_until
from tests.kit.fake_recording import recording
from tests.kit.fault_daemon import FaultDaemon

pytestmark = pytest.mark.usefixtures("forked_stages")

_RENAMES = 6  # one for each file of an output set
_PADDING = " " * 3_000_000  # no text, but bytes to copy


# V1: no hard links, no exclusive rename


@pytest.mark.parametrize("number", range(1, _RENAMES + 1))
def test_killed_at_any_rename_on_a_volume_without_hard_links_v1(
    daemon: FaultDaemon, number: int
) -> None:
    daemon.give("memo.wav", "a memo")
    volume = f"{daemon.config.paths.outbox}:no-links"
    daemon.run_to_end("--volume", f"{volume},kill={number}")
    assert daemon.drained("--volume", volume).violations() == []
    assert daemon.delivered() == ["memo"]


def test_a_reader_meets_no_empty_json_on_a_volume_without_hard_links_v1(
    daemon: FaultDaemon,
) -> None:
    outbox = daemon.config.paths.outbox
    outbox.mkdir()
    for number in range(20):
        daemon.give(f"{number}.wav", f"number {number}")
    empty: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            empty.extend(path.name for path in outbox.glob("*.json") if not path.stat().st_size)

    reader = threading.Thread(target=read)
    reader.start()
    daemon.drained("--volume", f"{outbox}:no-links")
    stop.set()
    reader.join()
    assert empty == []
    assert daemon.violations() == []


# V2: names that the volume cannot hold


@pytest.mark.parametrize(
    ("folder", "traits", "name"),
    [
        ("outbox", "no-colon,no-links", "call 10:30.wav"),
        ("outbox", "max-name=143", "n" * 150 + ".wav"),
        ("outbox", "no-colon=ENOENT", "call 10:30.wav"),
        ("done", "no-colon,no-links", "call 10:30.wav"),
        ("failed", "no-colon=ENOENT,no-links", "call 10:30.wav"),
    ],
)
def test_a_name_that_a_volume_cannot_hold_becomes_a_plain_one_v2(
    daemon: FaultDaemon, folder: str, traits: str, name: str
) -> None:
    way = ["prepare bad_input"] if folder == "failed" else []
    daemon.give(name, "the odd one", *way)
    daemon.give("z.wav", "the next one")
    place = getattr(daemon.config.paths, folder)
    daemon.drained("--volume", f"{place}:{traits}")
    assert not daemon.events("paused")
    assert daemon.inbox_names() == []
    names = sorted(path.name for path in place.iterdir())
    assert any(one.startswith(("call 10-30", "n" * 60)) for one in names)
    assert all(one.isascii() for one in names)


# V3: failed/ and done/ elsewhere


@pytest.mark.parametrize("what", ["pipe", "folder"])
def test_what_cannot_cross_volumes_stays_and_is_told_once_v3(
    daemon: FaultDaemon, what: str
) -> None:
    odd = daemon.config.paths.inbox / "a.wav"
    if what == "pipe":
        os.mkfifo(odd)
    else:
        odd.mkdir()
        os.mkfifo(odd / "pipe.wav")
    name = "a.wav" if what == "pipe" else "a.wav/pipe.wav"
    daemon.give("z.wav", "the next one")
    failed = daemon.config.paths.failed
    for _ in range(2):
        daemon.drained("--volume", f"{failed}:other-volume")
    assert daemon.delivered() == ["z"]
    assert daemon.inbox_names() == ["a.wav"]
    assert [event["name"] for event in daemon.events("kept")] == [Path(name).name]
    reports = [path for path in failed.rglob("*") if not path.is_dir()]
    assert reports == [failed / f"{name}.error.json"]  # and no copies


def test_a_recording_that_is_replaced_while_it_is_filed_away_is_not_lost_v3(
    daemon: FaultDaemon,
) -> None:
    """Of the same size, renamed over the old one while that is copied to another volume."""
    old, new = (recording(f"{take} take\n{_PADDING}") for take in ("one", "two"))
    source, done = daemon.drop(old, "take.wav"), daemon.config.paths.done
    (daemon.root / "new").write_bytes(new)

    def replace() -> None:
        wait_until(lambda: done.is_dir() and any(done.glob(".dropscribe-*")), "it was copied")
        (daemon.root / "new").replace(source)

    swapper = threading.Thread(target=replace)
    swapper.start()
    daemon.drained("--volume", f"{done}:other-volume,slow-copy=0.2")
    swapper.join()
    daemon.drained("--volume", f"{done}:other-volume")
    assert [path.read_bytes() == new for path in done.iterdir()] == [True]  # the old is replaced
    assert [daemon.document(stem)["text"] for stem in daemon.delivered()] == [
        "one take",
        "two take",
    ]


def _held_up(daemon: FaultDaemon, folder: str) -> Path:
    """Run where what is copied into that folder waits for the file that is returned."""
    gate = daemon.root / "gate"
    traits = f"other-volume,large=1000000,copy-gate={gate}"
    volume = f"{getattr(daemon.config.paths, folder)}:{traits}"
    daemon.program = daemon.running_with("--volume", volume).program
    daemon.start()
    return gate


def _wait_for_copy(daemon: FaultDaemon, folder: str) -> None:
    place = getattr(daemon.config.paths, folder)
    daemon.wait_until(lambda: any(place.glob(".dropscribe-*.tmp")), "it was being copied")


@pytest.mark.parametrize("way", ["done", "failed", "duplicate"])
def test_other_recordings_go_on_and_a_stop_is_heeded_while_one_is_copied_v3(
    make: MakeDaemon, way: str
) -> None:
    daemon = make({"output": {"duplicates": "skip"}})
    folder = "failed" if way == "failed" else "done"
    lines = ("a long one", *(["prepare bad_input"] if way == "failed" else []))
    content = recording(f"{lines[0]}\n{_PADDING}", *lines[1:])
    if way == "duplicate":
        daemon.drop(content, "before.wav")
        daemon.drained()
    daemon.drop(content, "long.wav")
    _held_up(daemon, folder)
    _wait_for_copy(daemon, folder)
    ends = len(daemon.events("done")) + 1
    daemon.give("next.wav", "the next one")
    daemon.wait_for("done", ends, seconds=30)
    assert daemon.output("next.json").exists()
    assert (daemon.config.paths.inbox / "long.wav").exists()
    daemon.stop()
    daemon.drained("--volume", f"{getattr(daemon.config.paths, folder)}:other-volume")
    daemon.dropped.append(content)
    assert daemon.inbox_names() == []
    assert daemon.violations() == []


@pytest.mark.parametrize("way", ["done", "duplicate"])
def test_a_recording_that_is_replaced_while_others_go_on_is_read_v3(
    make: MakeDaemon, way: str
) -> None:
    """Nothing is decided any more about the file that was there before."""
    daemon = make({"output": {"duplicates": "skip"}})
    content, new = recording(f"a long one\n{_PADDING}"), recording("another one")
    if way == "duplicate":
        daemon.drop(content, "before.wav")
        daemon.drained()
    source = daemon.drop(content, "long.wav")
    gate = _held_up(daemon, "done")
    _wait_for_copy(daemon, "done")
    (daemon.root / "new").write_bytes(new)
    (daemon.root / "new").replace(source)
    if way == "duplicate":
        daemon.wait_for("changed")
    gate.touch()
    daemon.wait_until(lambda: not any(daemon.config.paths.inbox.iterdir()), "it was read")
    daemon.wait_for("done", 2)
    texts = sorted(daemon.document(stem)["text"] for stem in daemon.delivered())
    assert texts == ["a long one", "another one"]
    daemon.stop()
    copies = [] if way == "done" else [content]
    kept = [path.read_bytes() for path in sorted(daemon.config.paths.done.iterdir())]
    assert kept == [*copies, new]


def test_what_a_kill_leaves_of_a_copy_goes_in_folders_inside_as_well_v3(
    daemon: FaultDaemon,
) -> None:
    content, done = recording(f"a long one\n{_PADDING}"), daemon.config.paths.done
    (daemon.config.paths.inbox / "day").mkdir()
    daemon.drop(content, "day/long.wav")
    _held_up(daemon, "done")
    daemon.wait_until(lambda: any(done.glob("day/.dropscribe-*.tmp")), "it was being copied")
    daemon.kill()
    daemon.drained("--volume", f"{done}:other-volume")
    assert [path.read_bytes() == content for path in (done / "day").iterdir()] == [True]


def test_a_volume_without_room_for_copies_pauses_the_queue_once_v3(daemon: FaultDaemon) -> None:
    for number in range(5):
        daemon.give(f"{number}.wav", f"number {number}")
    done = daemon.config.paths.done
    volume = ["--volume", f"{done}:other-volume"]
    tries = daemon.root / "tries"
    fault = f"open:1+:ENOSPC:{done / TEMP_PREFIX}:{tries}"
    daemon.program = daemon.running_with(*volume, "--fault", fault).program
    daemon.start()
    daemon.wait_until(
        lambda: tries.exists() and len(tries.read_bytes().splitlines()) > 20, "it was tried often"
    )
    daemon.stop()
    assert not daemon.events("resumed")
    assert [event["reason"] for event in daemon.events("paused")] == [
        f"the disk is full: free some space ({done})"
    ]
    assert daemon.drained(*volume).violations() == []


def test_results_that_are_taken_away_while_the_recording_is_copied_stay_away_v3(
    daemon: FaultDaemon,
) -> None:
    daemon.drop(recording(f"a long one\n{_PADDING}"), "long.wav")
    gate = _held_up(daemon, "done")
    _wait_for_copy(daemon, "done")
    taken = [path.name for path in daemon.config.paths.outbox.glob("long.*")]
    assert "long.json" in taken
    for name in taken:
        daemon.output(name).unlink()
    gate.touch()
    daemon.wait_for("done")
    daemon.stop()
    assert not any(daemon.config.paths.outbox.glob("long*"))
    assert (daemon.config.paths.done / "long.wav").exists()


@pytest.mark.parametrize("late", ["", "-late"])
def test_killed_while_a_recording_is_claimed_v3(daemon: FaultDaemon, late: str) -> None:
    daemon.give("memo.wav", "a memo")
    for number in range(1, 4):
        daemon.run_to_end("--fault", f"rename{late}:{number}:KILL:{daemon.config.paths.inbox}")
    assert daemon.drained().violations() == []
    assert daemon.delivered() == ["memo"]


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["away", "inbox"])
@pytest.mark.parametrize("what", ["KILL", "EIO", "ENOSPC"])
@pytest.mark.parametrize("late", ["", "-late"])
@pytest.mark.parametrize("call", ["open", "rename", "unlink", "mkdir", "sync"])
def test_struck_at_every_call_on_the_way_to_another_volume_v3(
    make: MakeDaemon, tmp_path: Path, call: str, late: str, what: str, folder: str
) -> None:
    """In the threads that copy, too, which strace does not follow in the crash loop."""
    number, was_struck = 0, True
    while was_struck:
        number += 1
        away, log = tmp_path / f"away-{number}", tmp_path / f"log-{number}"
        daemon = make({"paths": {name: str(away / name) for name in ("done", "failed")}})
        daemon.give("good.wav", "a good one")
        daemon.give("bad.wav", "a bad one", "prepare bad_input")
        volume = ("--volume", f"{away}:other-volume")
        struck = away if folder == "away" else daemon.config.paths.inbox
        fault = f"{call}{late}:{number}:{what}:{struck}:{log}"
        ended = daemon.run_to_end(*volume, "--fault", fault)
        was_struck = log.exists() and len(log.read_bytes().splitlines()) >= number
        assert ended.returncode in (-9, 0, 75), f"{fault}: {ended.stderr}"
        assert daemon.drained(*volume).violations() == [], fault
        assert daemon.inbox_names() == [], fault
        assert [path.name for path in (away / "done").iterdir()] == ["good.wav"], fault


# V4: one folder under two names


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_done_that_is_the_inbox_under_another_name_is_not_filed_into_v4(
    daemon: FaultDaemon,
) -> None:
    inbox, done = daemon.config.paths.inbox, daemon.config.paths.done
    done.mkdir()
    if subprocess.run(["mount", "--bind", inbox, done], check=False).returncode != 0:
        pytest.skip("this system does not let us mount")
    try:
        daemon.give("memo.wav", "a memo")
        for _ in range(2):
            daemon.drained()
    finally:
        subprocess.run(["umount", "-l", done], check=True)
    assert daemon.delivered() == ["memo"]
    assert daemon.inbox_names() == ["memo.wav"]
    assert len(daemon.events("kept")) == 1


# V5: two daemons


def test_two_daemons_do_not_share_an_inbox_v5(make: MakeDaemon) -> None:
    first, second = make(), make()
    text = (second.root / "config.toml").read_text()
    (second.root / "config.toml").write_text(
        text.replace(str(second.config.paths.inbox), str(first.config.paths.inbox))
    )
    with running(first):
        refused = second.run_to_end()
    assert refused.returncode == 75
    assert "give each its own inbox" in refused.stderr


# V6: the state folder goes away


def test_a_daemon_whose_state_folder_is_deleted_makes_room_for_another_v6(
    daemon: FaultDaemon,
) -> None:
    process = daemon.start()
    daemon.wait_for("started")
    for _ in range(20):  # it may be writing there
        shutil.rmtree(daemon.config.paths.state, ignore_errors=True)
    assert process.wait(60) == 75
    daemon.give("memo.wav", "a memo")
    assert daemon.drained().violations() == []
