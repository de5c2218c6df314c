"""Rows F46, F47, F93 to F100, F109: names, collisions, short writes, an outbox that goes away."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
import unicodedata
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.faults.conftest import MakeDaemon
from tests.kit.daemon_process import wait_until
from tests.kit.fake_recording import recording
from tests.kit.fault_daemon import FaultDaemon
from tests.kit.invariant import SUFFIXES, output_sets
from tests.kit.tracing import needs_strace

pytestmark = pytest.mark.usefixtures("forked_stages")

_NEEDS_ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")


@pytest.fixture
def mounted() -> Iterator[list[Path]]:
    """Folders to unmount after the test."""
    folders: list[Path] = []
    yield folders
    for folder in folders:
        subprocess.run(["umount", "-l", folder], check=False, capture_output=True)


def _mount(folder: Path, size: str, mounted: list[Path]) -> None:
    folder.mkdir(exist_ok=True)
    options = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(options, check=False, capture_output=True).returncode != 0:
        pytest.skip("this system does not let us mount")
    mounted.append(folder)


def _on_its_own_volume(make: MakeDaemon, key: str, volume: Path) -> FaultDaemon:
    daemon = make()
    paths = replace(daemon.config.paths, **{key: volume / key})
    daemon.config = replace(daemon.config, paths=paths)
    text = (daemon.root / "config.toml").read_text()
    old = str(daemon.root / key)
    (daemon.root / "config.toml").write_text(text.replace(old, str(volume / key)))
    return daemon


# Names


def test_sources_that_want_the_same_output_name_each_get_one_f95(daemon: FaultDaemon) -> None:
    names = ["a.wav", "a.mp3", "A.WAV", "a.b.wav"]
    names += [unicodedata.normalize(form, "café.wav") for form in ("NFC", "NFD")]
    for name in names:
        daemon.give(name, f"said in {name!r}")
    daemon.drained()
    assert daemon.violations() == []
    stems = [unicodedata.normalize("NFD", stem).casefold() for stem in daemon.delivered()]
    assert len(set(stems)) == len(names)  # also where case and composition do not count


def test_what_lies_in_the_outbox_already_is_never_overwritten_f96(daemon: FaultDaemon) -> None:
    outbox = daemon.config.paths.outbox
    outbox.mkdir()
    for name in ("memo.srt", "MEMO (2).TXT", "memo (3).json"):
        (outbox / name).write_text("the user's own")
    daemon.give("memo.wav", "a memo")
    daemon.drained()
    assert daemon.document("memo (4)")["text"] == "a memo"
    for name in ("memo.srt", "MEMO (2).TXT", "memo (3).json"):
        assert (outbox / name).read_text() == "the user's own"


@pytest.mark.parametrize("character", ["x", "é", "漢"])
def test_names_as_long_as_the_file_system_allows_f97(daemon: FaultDaemon, character: str) -> None:
    stem = character * (251 // len(character.encode()))
    for ending, said in ((".wav", "long"), (".mp3", "long, too")):
        daemon.give(f"{stem}{ending}", said)
    daemon.give(f"{stem}.ogg", "bad", "prepare bad_input")
    daemon.drained()
    daemon.give(f"{stem}.wav", "long again")
    daemon.give(f"{stem}.ogg", "bad again", "prepare bad_input")
    daemon.drained()
    assert daemon.violations() == []
    assert len(daemon.delivered()) == 3
    assert len(list(daemon.config.paths.failed.glob("*.error.json"))) == 2


def test_a_failed_file_with_a_long_or_hostile_name_can_be_retried_f97_s8(
    daemon: FaultDaemon,
) -> None:
    names = [b"y" * 251 + b".wav", b"bad\xff\xfe.wav", b"new\nline\x1b[31m.wav"]
    for name in names:
        daemon.give(name, f"said in {name!r}", "prepare bad_input")
    daemon.drained()
    assert len(daemon.failed_names()) == 3
    assert daemon.call("retry", "--all").returncode == 0
    assert {os.fsencode(path.name) for path in daemon.config.paths.inbox.iterdir()} == set(names)
    assert daemon.drained().violations() == []


# Writing


@needs_strace
def test_a_short_write_never_becomes_a_short_file_f93(daemon: FaultDaemon) -> None:
    """The kernel says three bytes were written, for one write after another."""
    for number in range(1, 40, 13):
        daemon.give(f"{number}.wav", f"number {number}")
        inject = ["-e", "trace=write", "-e", f"inject=write:retval=3:when={40 + number}"]
        daemon.run_to_end(prefix=["strace", "-qq", "-o", "/dev/null", *inject])
    assert daemon.drained().violations() == []


def test_a_file_size_limit_is_noticed_however_late_f94(daemon: FaultDaemon) -> None:
    daemon.give("long.wav", "many words " * 400 + "end")
    shell = ["bash", "-c", 'ulimit -f 3; exec "$@"', "bash"]
    ended = subprocess.run(
        [*shell, *daemon.command("run", "--once")], capture_output=True, check=False, timeout=60
    )
    assert ended.returncode != 0
    assert daemon.drained().violations() == []


def test_a_rename_that_reports_an_error_but_happened_is_no_loss_f47(make: MakeDaemon) -> None:
    """As NFS may: the call fails after the fact. The next run finds what is there."""
    daemon = make()
    for number in (1, 2):
        daemon.give(f"{number}.wav", f"number {number}")
        done = daemon.config.paths.done
        fault = f"rename-late:{number}:EIO:{daemon.config.paths.inbox}"
        daemon.run_to_end("--fault", fault)
        assert done.is_dir()
    assert daemon.drained().violations() == []


def test_whoever_sees_the_json_sees_the_whole_set_f100(make: MakeDaemon) -> None:
    daemon = make()
    for number in range(8):
        daemon.give(f"{number}.wav", f"number {number}")
    incomplete: list[str] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            for stem in daemon.delivered() if daemon.config.paths.outbox.is_dir() else []:
                if len(output_sets(daemon)[stem]) != len(SUFFIXES):
                    incomplete.append(stem)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        daemon.drained()
    finally:
        stop.set()
        reader.join()
    assert not incomplete
    assert daemon.violations() == []


# The outbox's disk


@_NEEDS_ROOT
@pytest.mark.parametrize("key", ["outbox", "done", "failed"])
def test_folders_on_different_disks_f46(
    make: MakeDaemon, tmp_path: Path, mounted: list[Path], key: str
) -> None:
    _mount(tmp_path / "volume", "10m", mounted)
    daemon = _on_its_own_volume(make, key, tmp_path / "volume")
    daemon.give("one.wav", "one")
    daemon.give("bad.wav", "bad", "prepare bad_input")
    assert daemon.drained().violations() == []


@_NEEDS_ROOT
def test_a_full_outbox_pauses_and_goes_on_when_there_is_room_f98_f37(
    make: MakeDaemon, tmp_path: Path, mounted: list[Path]
) -> None:
    volume = tmp_path / "volume"
    _mount(volume, "200k", mounted)
    daemon = _on_its_own_volume(make, "outbox", volume)
    filler = volume / "filler"
    filler.write_bytes(bytes(196 * 1024 - 4096 * 4))
    names = ("one", "two", "three")
    for name in names:
        daemon.give(f"{name}.wav", name)
    daemon.start()
    jobs = daemon.config.paths.state / "jobs"
    daemon.wait_until(lambda: len(list(jobs.glob("*/outputs.json"))) == 3, "all were rendered")
    (paused,) = daemon.wait_for("paused")
    assert "the disk is full" in paused["reason"]
    filler.unlink()
    daemon.wait_for("done", 3)
    daemon.end()
    assert daemon.timing("one")["stages"]["transcribe"]["attempts"] == 1
    assert daemon.violations() == []


def _remove(outbox: Path) -> None:
    outbox.rmdir()


def _replace_by_file(outbox: Path) -> None:
    outbox.rmdir()
    outbox.write_text("not a folder")


@pytest.mark.parametrize(
    ("damage", "said"), [(_remove, "the folder is missing"), (_replace_by_file, "there is a file")]
)
def test_an_outbox_that_is_gone_pauses_and_nothing_is_transcribed_twice_f98(
    make: MakeDaemon, damage: object, said: str
) -> None:
    daemon = make()
    daemon.start()
    wait_until(daemon.config.paths.outbox.is_dir, "the outbox was made")
    outbox = daemon.config.paths.outbox
    damage(outbox)  # type: ignore[operator]
    daemon.give("one.wav", "one")
    (paused,) = daemon.wait_for("paused")
    assert said in paused["reason"]
    if outbox.exists():
        outbox.unlink()
    outbox.mkdir()
    daemon.wait_for("done")
    daemon.end()
    assert daemon.timing("one")["stages"]["transcribe"]["attempts"] == 1
    assert daemon.violations() == []


@_NEEDS_ROOT
@pytest.mark.parametrize("key", ["outbox", "inbox"])
def test_a_volume_that_is_unmounted_is_missing_not_empty_f109(
    make: MakeDaemon, tmp_path: Path, mounted: list[Path], key: str
) -> None:
    """Its mount point stays behind as an empty folder: nothing is written there, nobody is gone."""
    volume = tmp_path / "volume"
    _mount(volume, "10m", mounted)
    daemon = _on_its_own_volume(make, key, volume)
    (volume / key).mkdir()
    (daemon.config.paths.inbox / "one.wav").write_bytes(recording("one"))
    daemon.drained()
    subprocess.run(["umount", volume], check=True)
    mounted.clear()
    daemon.start()
    if key == "outbox":
        daemon.give("two.wav", "two")
    (paused,) = daemon.wait_for("paused")
    assert "is not mounted" in paused["reason"]
    assert not any(volume.iterdir())
    _mount(volume, "10m", mounted)
    (volume / key).mkdir()
    (daemon.config.paths.inbox / "three.wav").write_bytes(recording("three"))
    daemon.wait_for("done", 2 if key == "inbox" else 3)
    assert not daemon.events("gone")


def _made_read_only(volume: Path) -> Callable[[], None]:
    def remount(how: str) -> None:
        subprocess.run(["mount", "-o", f"remount,{how}", volume], check=True)

    remount("ro")
    return partial(remount, "rw")


def _without_inodes(volume: Path) -> Callable[[], None]:
    fillers = []
    with contextlib.suppress(OSError):
        while True:
            filler = volume / f"filler-{len(fillers)}"
            filler.touch()
            fillers.append(filler)

    def mend() -> None:
        for filler in fillers:
            filler.unlink()

    return mend


@_NEEDS_ROOT
@pytest.mark.parametrize(
    ("key", "damage"),
    [("outbox", _made_read_only), ("done", _without_inodes), ("state", _without_inodes)],
)
def test_a_volume_that_takes_no_files_for_a_while_costs_only_time_f124(
    make: MakeDaemon,
    tmp_path: Path,
    mounted: list[Path],
    key: str,
    damage: Callable[[Path], Callable[[], None]],
) -> None:
    """Under a daemon that works: as a server that fails over, or a disk that had an error."""
    volume, gate = tmp_path / "volume", tmp_path / "gate"
    _mount(volume, "10m,nr_inodes=200", mounted)
    daemon = _on_its_own_volume(make, key, volume)
    daemon.give("one.wav", "one", f"transcribe gate:{gate}")
    daemon.start()
    daemon.wait_until(lambda: daemon.working_on().get("transcribe", 0) > 0, "it was at work")
    mend = damage(volume)
    daemon.give("two.wav", "two")
    gate.touch()
    daemon.wait_for("paused")
    mend()
    daemon.wait_for("done", 2)
    daemon.end()
    assert len(daemon.events("paused")) <= 3
    assert daemon.violations() == []


# Recordings that may not be moved


def test_a_recording_that_stays_is_not_delivered_again_f98(make: MakeDaemon) -> None:
    """The try to move it has changed its times, as a link and its removal do where none renames."""
    daemon = make()
    daemon.give("one.wav", "one")
    daemon.give("bad.wav", "bad", "prepare bad_input")
    inbox = daemon.config.paths.inbox
    assert daemon.run_to_end("--fault", f"rename-late:1+:EPERM:{inbox}").returncode == 0
    assert len(daemon.events("kept")) == 2
    daemon.drained()
    assert daemon.delivered() == ["one"]
    assert len(daemon.events("queued")) == 2
    assert daemon.inbox_names() == ["bad.wav", "one.wav"]


def test_a_locked_recording_is_delivered_and_stays_f98(make: MakeDaemon) -> None:
    """As a file that the Finder has locked: its folder could be changed, the file may not."""
    daemon = make()
    locked = daemon.give("locked.wav", "locked")
    daemon.give("locked-bad.wav", "bad", "prepare bad_input")
    daemon.give("other.wav", "other")
    for name in ("locked.wav", "locked-bad.wav"):
        path = daemon.config.paths.inbox / name
        if subprocess.run(["chattr", "+i", path], check=False, capture_output=True).returncode:
            pytest.skip("this file system cannot lock files")
    try:
        daemon.drained()
        daemon.drained()
    finally:
        subprocess.run(["chattr", "-i", *daemon.config.paths.inbox.iterdir()], check=True)
    assert daemon.delivered() == ["locked", "other"]
    assert daemon.error("locked-bad.wav")["kind"] == "bad_input"
    assert locked.exists()
