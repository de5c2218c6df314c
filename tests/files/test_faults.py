"""A fault of the machine is explained with its place and a remedy."""

from __future__ import annotations

import errno
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from daemon.files.faults import explain, is_the_machines, scarce_disk


@pytest.mark.parametrize(
    "number",
    [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ENOENT, errno.EACCES, errno.EPERM],
)
def test_a_fault_is_explained_with_its_place_and_what_to_do(number: int) -> None:
    said = explain(OSError(number, os.strerror(number), "/out"))
    assert said.endswith(" (/out)")
    assert os.strerror(number) not in said


def test_a_fault_that_nobody_foresaw_is_explained_as_well_as_can_be() -> None:
    assert explain(OSError(errno.EXDEV, "Invalid link", "/a", None, b"/b")) == "Invalid link (/b)"
    assert explain(OSError("odd")) == "odd"
    assert "the queue's database" in explain(sqlite3.OperationalError("disk I/O error"))


def test_little_space_is_a_reason_to_wait(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free // 1_000_000
    assert scarce_disk((tmp_path,), 0) is None
    said = scarce_disk((tmp_path,), free * 2 + 1)
    assert said is not None
    assert str(tmp_path) in said
    assert "limits.min_free_mb" in said


def test_only_what_any_file_would_meet_is_the_machines() -> None:
    assert is_the_machines(OSError(errno.ENOSPC, "full"))
    assert not is_the_machines(OSError(errno.EACCES, "denied"))
