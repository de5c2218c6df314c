"""Where a page looks for its recording, and for the index."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from daemon.outbox.rendition import recordings, rendition
from tests.kit.daemon_process import configured
from tests.kit.sample_transcripts import document, said


def _recordings(root: Path, inside: str = "", size: int = 3, **output: object) -> tuple[str, ...]:
    config = configured(root, {"output": output})
    source = config.paths.inbox / inside / "memo.wav"
    return recordings(config, source, config.paths.outbox / inside, size)


def _file(path: Path, content: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content)


def test_a_recording_in_the_inbox_will_lie_in_done(tmp_path: Path) -> None:
    _file(tmp_path / "inbox" / "memo.wav", "new")
    assert _recordings(tmp_path) == ("../done/memo.wav", "../inbox/memo.wav")
    assert _recordings(tmp_path, source="keep")[0] == "../inbox/memo.wav"


def test_a_name_that_an_older_recording_has_is_not_taken_for_ours(tmp_path: Path) -> None:
    _file(tmp_path / "inbox" / "memo.wav", "new")
    _file(tmp_path / "done" / "memo.wav", "old")
    assert _recordings(tmp_path)[0] == "../done/memo (2).wav"


def test_afterwards_the_size_tells_which_it_is(tmp_path: Path) -> None:
    _file(tmp_path / "done" / "memo.wav", "an older one")
    _file(tmp_path / "done" / "memo (2).wav", "new")
    assert _recordings(tmp_path) == ("../done/memo (2).wav",)
    assert _recordings(tmp_path, size=99) == ("../done/memo.wav",)


def test_folders_of_the_inbox_are_those_of_done(tmp_path: Path) -> None:
    _file(tmp_path / "inbox" / "trip" / "memo.wav", "new")
    assert _recordings(tmp_path, "trip")[0] == "../../done/trip/memo.wav"


@pytest.mark.parametrize(
    ("inside", "index", "address"),
    [("", True, "index.html"), ("a/b", True, "../../index.html"), ("", False, None)],
)
def test_the_way_to_the_index(tmp_path: Path, inside: str, index: bool, address: str) -> None:
    config = configured(tmp_path, {"output": {"index": index}})
    whole = json.loads(json.dumps(document([said("Hello.", 0, 1)])))
    source, folder = config.paths.inbox / "memo.wav", config.paths.outbox / inside
    page = rendition(config, ["html"], whole, "memo", {}, source, folder)["html"].decode()
    found = re.search(r'class="home" href="([^"]*)"', page)
    assert (found[1] if found else None) == address
