"""Finder tags. xattr(1) is macOS's alone: a stand-in keeps what it would be told."""

from __future__ import annotations

import plistlib
from collections.abc import Sequence
from pathlib import Path

import pytest

from daemon.outbox import finder_tag
from daemon.outbox.finder_tag import DONE, FAILED, set_tag
from tests.kit.fault_daemon import FaultDaemon

HOSTILE = "-w $(rm -rf ~)'; drop \n.wav"


class Xattr:
    """What `xattr -px` and `-wx` do with one attribute of each file."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def __call__(self, argv: Sequence[str]) -> bytes:
        program, verb, name, *rest = argv
        assert (program, name) == ("/usr/bin/xattr", "com.apple.metadata:_kMDItemUserTags")
        assert rest[-1].startswith("/")
        if verb == "-wx":
            self.values[rest[1]] = rest[0]
            return b""
        return self.values.get(rest[0], "").upper().encode()

    def tags(self, path: Path) -> object:
        return plistlib.loads(bytes.fromhex(self.values[str(path)]))


def test_a_tag_stands_beside_the_users_own_and_replaces_ours(tmp_path: Path) -> None:
    xattr, path = Xattr(), tmp_path / HOSTILE
    xattr.values[str(path)] = plistlib.dumps(["Work\n4", FAILED], fmt=plistlib.FMT_BINARY).hex()
    set_tag(path, DONE, "darwin", xattr)
    assert xattr.tags(path) == ["Work\n4", DONE]


@pytest.mark.parametrize("kept", ["", "zz", "00", plistlib.dumps({"a": 1}).hex()])
def test_what_is_no_list_of_tags_is_replaced(tmp_path: Path, kept: str) -> None:
    xattr, path = Xattr(), tmp_path / "a.wav"
    xattr.values[str(path)] = kept
    set_tag(path, DONE, "darwin", xattr)
    assert xattr.tags(path) == [DONE]


def test_elsewhere_nothing_is_run(tmp_path: Path) -> None:
    xattr = Xattr()
    set_tag(tmp_path / "a.wav", DONE, "linux", xattr)
    assert not xattr.values


@pytest.mark.parametrize("wanted", [True, False])
def test_recordings_are_tagged_where_they_are_filed_if_that_is_wished(
    tmp_path: Path, wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagged: list[tuple[str, str]] = []
    monkeypatch.setattr(
        finder_tag,
        "set_tag",
        lambda path, tag: tagged.append((f"{path.parent.name}/{path.name}", tag)),
    )
    daemon = FaultDaemon.on(tmp_path, {"notify": {"finder_tags": wanted}}).acting()
    daemon.give("a.wav", "a good one")
    daemon.give("b.wav", "a bad one", "prepare bad_input")
    daemon.drained()
    assert sorted(tagged) == ([("done/a.wav", DONE), ("failed/b.wav", FAILED)] if wanted else [])
