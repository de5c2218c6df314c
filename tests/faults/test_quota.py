"""Row F125: a disk quota that is used up, on a real volume that has quotas."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import MakeDaemon

pytestmark = pytest.mark.usefixtures("forked_stages")


class Quota:
    """A folder on a btrfs image, with a quota that even root has to keep."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def use_up(self) -> None:
        self._limit("1")

    def raise_again(self) -> None:
        self._limit("none")

    def _limit(self, size: str) -> None:
        # Asked of the folder itself, the change would need room in its quota.
        limit = ["btrfs", "qgroup", "limit", size, "0/256", self.folder.parent]
        subprocess.run(limit, check=True, capture_output=True)


@pytest.fixture
def quota(tmp_path: Path) -> Iterator[Quota]:
    if os.geteuid() != 0 or not all(map(shutil.which, ("mkfs.btrfs", "btrfs"))):
        pytest.skip("mounting a volume with quotas needs root and btrfs-progs")
    image, volume = tmp_path / "image", tmp_path / "volume"
    image.touch()
    os.truncate(image, 120_000_000)  # the smallest that mkfs.btrfs takes; it stays sparse
    volume.mkdir()
    subprocess.run(["mkfs.btrfs", "-q", image], check=True, capture_output=True)
    mount = ["mount", "-o", "loop", image, volume]
    if subprocess.run(mount, check=False, capture_output=True).returncode != 0:
        pytest.skip("this system does not let us mount btrfs")
    try:
        subprocess.run(["btrfs", "quota", "enable", volume], check=True)
        create = ["btrfs", "subvolume", "create", volume / "limited"]
        subprocess.run(create, check=True, capture_output=True)
        yield Quota(volume / "limited")
    finally:
        subprocess.run(["umount", "-l", volume], check=True)


@pytest.mark.parametrize(
    ("keys", "said"),
    [(("outbox", "done", "failed"), "the disk quota is used up"), (("state",), "quota")],
)
def test_a_used_up_quota_pauses_as_a_full_disk_does_f125(
    make: MakeDaemon, tmp_path: Path, quota: Quota, keys: tuple[str, ...], said: str
) -> None:
    """Not even removing a file is allowed then; SQLite calls it an I/O error."""
    gate = tmp_path / "gate"
    daemon = make({"paths": {key: str(quota.folder / key) for key in keys}})
    daemon.give("one.wav", "one", f"transcribe gate:{gate}")
    daemon.start()
    daemon.wait_until(lambda: daemon.working_on().get("transcribe", 0) > 0, "it was at work")
    quota.use_up()
    daemon.give("two.wav", "two")
    daemon.give("bad.wav", "bad", "prepare bad_input")
    gate.touch()
    assert said in daemon.wait_for("paused")[0]["reason"]
    quota.raise_again()
    daemon.wait_for_ends(3)
    daemon.end()
    assert len(daemon.events("paused")) <= 3
    assert daemon.violations() == []
