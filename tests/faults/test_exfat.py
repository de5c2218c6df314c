"""Row V8: a real exFAT image, mounted in user space, as USB sticks and cameras' cards are."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.conftest import MakeDaemon
from tests.kit.fake_recording import recording


@pytest.fixture
def exfat(tmp_path: Path) -> Iterator[Path]:
    """A mounted exFAT image: no hard links, no change times, letter case does not count."""
    programs = ("mkfs.exfat", "mount.exfat-fuse", "losetup")
    if os.geteuid() != 0 or not all(map(shutil.which, programs)):
        pytest.skip("mounting exFAT in user space needs root, exfatprogs and exfat-fuse")
    image, folder = tmp_path / "image", tmp_path / "exfat"
    image.touch()
    os.truncate(image, 64_000_000)
    folder.mkdir()
    subprocess.run(["mkfs.exfat", str(image)], check=True, capture_output=True)
    attach = ["losetup", "--find", "--show", str(image)]
    device = subprocess.run(attach, check=True, capture_output=True, text=True).stdout.strip()
    subprocess.run(["mount.exfat-fuse", device, str(folder)], check=True, capture_output=True)
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=False)
    subprocess.run(["losetup", "--detach", device], check=False)


@pytest.mark.slow
@pytest.mark.parametrize("whole", [False, True], ids=["results", "inbox, too"])
def test_killed_at_random_on_a_real_exfat_volume_v8(
    exfat: Path, make: MakeDaemon, tmp_path: Path, whole: bool
) -> None:
    names = ("inbox", "outbox", "done", "failed", "state", "logs")
    away = names[:4] if whole else names[1:4]
    paths = {name: str((exfat if name in away else tmp_path) / name) for name in names}
    daemon = make({"paths": paths})
    told = {"plain": (), "bad": ("prepare bad_input",), "moved": ("align rename_and_touch 1",)}
    told |= {"renamed": ("publish rename 1",)} | ({} if whole else {"call 10:30": ()})
    for name, misbehaviour in told.items():
        content = recording(name, *misbehaviour)
        (daemon.config.paths.inbox / f"{name}.wav").write_bytes(content)
        daemon.dropped.append(content)
    chance = random.Random(1)
    for _ in range(4):
        daemon.start()
        time.sleep(chance.uniform(0.3, 2.0))
        daemon.kill()
    assert daemon.drained().violations() == []
    assert daemon.inbox_names() == []
