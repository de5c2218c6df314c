"""Network volumes are polled; every other volume rings."""

from __future__ import annotations

import errno
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from daemon.files import volumes as volumes_module
from daemon.files.volumes import Mounts, mounts, needs_polling
from daemon.supervisor.events import EventQueue, StopNow, StopRequested


@dataclass(frozen=True)
class Volume:
    mountpoint: str
    fstype: str


def on(*volumes: Volume) -> Sequence[Volume]:
    return (Volume("/", "apfs"), *volumes)


@pytest.mark.parametrize(
    "kind", ["smbfs", "nfs", "afpfs", "webdav", "cifs", "nfs4", "fuse.sshfs", "SMBFS"]
)
def test_a_network_volume_needs_polling(kind: str) -> None:
    volumes = on(Volume("/Volumes/team", kind))
    assert needs_polling(Path("/Volumes/team/inbox"), lambda: volumes)


@pytest.mark.parametrize("kind", ["apfs", "hfs", "exfat", "msdos", "ext4", "btrfs", "fuse.ntfs-3g"])
def test_a_disk_does_not(kind: str) -> None:
    volumes = on(Volume("/Volumes/stick", kind))
    assert not needs_polling(Path("/Volumes/stick/inbox"), lambda: volumes)


def test_the_nearest_volume_decides() -> None:
    volumes = on(Volume("/Volumes/team", "smbfs"), Volume("/Volumes/team/disk", "apfs"))
    assert not needs_polling(Path("/Volumes/team/disk/inbox"), lambda: volumes)
    assert needs_polling(Path("/Volumes/team"), lambda: volumes)


def test_a_name_that_only_begins_alike_is_another_folder() -> None:
    volumes = on(Volume("/Volumes/team", "smbfs"))
    assert not needs_polling(Path("/Volumes/teamwork/inbox"), lambda: volumes)


def test_a_link_to_a_network_volume_needs_polling(tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    (tmp_path / "inbox").symlink_to(share)
    volumes = on(Volume(str(share.resolve()), "nfs"))
    assert needs_polling(tmp_path / "inbox", lambda: volumes)


def test_a_stop_overtakes_the_wait_for_a_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = threading.Event()
    monkeypatch.setattr(volumes_module, "_SECONDS", 600.0)
    monkeypatch.setattr(Mounts, "check", lambda *_: away.wait())
    with closing(EventQueue()) as events:
        before = signal.signal(signal.SIGALRM, lambda *_: events.put(StopRequested(signal.SIGTERM)))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            with pytest.raises(StopNow):
                Mounts(tmp_path, events.may_break_off).check_answering([tmp_path])
        finally:
            signal.signal(signal.SIGALRM, before)
            away.set()


def test_this_machines_own_list_can_be_read(tmp_path: Path) -> None:
    assert any(mount.mountpoint == "/" for mount in mounts())
    assert needs_polling(tmp_path) in {True, False}


def test_a_server_that_is_away_is_waited_for_once_and_is_back_when_it_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What blocks is a stand-in: a look at the folder waits for a FIFO, in the kernel."""
    os.mkfifo(tmp_path / "fifo")
    asked = []

    def look(folder: Path) -> bool:
        asked.append(folder)
        return bool((tmp_path / "fifo").read_bytes())

    monkeypatch.setattr(volumes_module, "_SECONDS", 0.1)
    monkeypatch.setattr("os.path.exists", look)
    known = Mounts(tmp_path)
    for _ in range(3):
        with pytest.raises(OSError, match="does not answer: connect its disk or server") as caught:
            known.check_answering([tmp_path])
        assert caught.value.errno == errno.ETIMEDOUT
    assert asked == [tmp_path]
    os.close(os.open(tmp_path / "fifo", os.O_WRONLY))
    monkeypatch.undo()
    (question,) = known._asked.values()
    while not question.answer.done():
        pass
    known.check_answering([tmp_path])
