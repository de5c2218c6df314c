"""What decides what we run has to be ours alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.errors import UsageError
from daemon.files.permissions import check_is_ours


@pytest.mark.parametrize("mode", [0o622, 0o606, 0o620])
def test_a_file_that_others_may_write_is_refused_with_the_remedy(tmp_path: Path, mode: int) -> None:
    path = tmp_path / "config.toml"
    path.touch()
    check_is_ours(path, "the configuration")
    path.chmod(mode)
    if mode & 0o022:
        with pytest.raises(UsageError, match="chmod go-w"):
            check_is_ours(path, "the configuration")


def test_a_folder_that_others_may_write_lets_them_replace_the_file(tmp_path: Path) -> None:
    path = tmp_path / "open" / "config.toml"
    path.parent.mkdir()
    path.touch(mode=0o600)
    path.parent.chmod(0o777)
    with pytest.raises(UsageError, match="chmod go-w"):
        check_is_ours(path, "the configuration")
    path.parent.chmod(0o1777)  # as /tmp: others may add files, not replace ours
    check_is_ours(path, "the configuration")


def test_what_is_not_there_is_nobodys(tmp_path: Path) -> None:
    check_is_ours(tmp_path / "nothing", "the hook")
