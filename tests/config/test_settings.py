"""Defaults, and every problem named at once with its key."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from msgspec.structs import asdict

from daemon.config.file import validated
from daemon.config.settings import Config, Paths
from daemon.config.table import WrongValueError
from daemon.errors import UsageError
from daemon.files import real_path


def _problems(**tables: object) -> str:
    with pytest.raises(UsageError) as raised:
        validated(tables)
    return str(raised.value)


def test_the_default_folders_lie_apart_in_the_home_folder(home: Path) -> None:
    paths = Config().paths
    assert paths.inbox == home / "Dropscribe" / "inbox"
    assert len(set(asdict(paths).values())) == 6


def test_every_problem_is_named_at_once_with_its_key() -> None:
    said = _problems(
        watch={"settle_seconds": -1},
        transcribe={"backend": "cuda", "beam_size": 11},
        limits={"max_attempts": "many"},
    )
    assert "4 problems" in said
    for key in (
        "watch.settle_seconds",
        "transcribe.backend",
        "transcribe.beam_size",
        "limits.max_attempts",
    ):
        assert key in said
    assert "'cuda'" in said


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        (
            {"transcribe": {"modle": "tiny"}},
            "transcribe.modle: no such key; did you mean transcribe.model?",
        ),
        ({"trancribe": {}}, "trancribe: no such key; did you mean transcribe?"),
        ({"watch": {"zzz": 1}}, "watch.zzz: no such key"),
    ],
)
def test_an_unknown_key_is_an_error_with_a_suggestion(wrong: dict[str, object], right: str) -> None:
    assert _problems(**wrong).endswith(right)


@pytest.mark.parametrize("key", ["outbox", "done", "failed", "state", "logs"])
def test_no_folder_may_lie_in_the_inbox(tmp_path: Path, key: str) -> None:
    inside = {"inbox": str(tmp_path), key: str(tmp_path / "inside")}
    assert f"{key} ({tmp_path / 'inside'}) must not be the inbox" in _problems(paths=inside)
    same = {"inbox": str(tmp_path), key: str(tmp_path)}
    assert "must not be the inbox" in _problems(paths=same)


def test_a_link_into_the_inbox_is_seen_through(tmp_path: Path) -> None:
    (tmp_path / "inbox").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "inbox")
    paths = {"inbox": str(tmp_path / "inbox"), "outbox": str(tmp_path / "link" / "out")}
    assert "must not be the inbox" in _problems(paths=paths)


def test_a_folder_that_does_not_answer_keeps_nobody_from_the_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What blocks is a stand-in: to follow links waits for a FIFO, in the kernel."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    monkeypatch.setattr(real_path, "_SECONDS", 0.1)
    monkeypatch.setattr(Path, "resolve", lambda path: fifo.read_bytes())
    folders = Paths(inbox=tmp_path / "in", outbox=tmp_path / "out")
    assert folders.outbox == tmp_path / "out"
    with pytest.raises(WrongValueError, match="must not be the inbox or lie inside it"):
        Paths(inbox=tmp_path / "in", outbox=tmp_path / "in" / "out" / ".." / "out")
    os.close(os.open(fifo, os.O_WRONLY))


def test_results_and_recordings_do_not_share_a_folder(tmp_path: Path) -> None:
    paths = {"outbox": str(tmp_path / "a"), "done": str(tmp_path / "a")}
    assert "outbox must not be the done" in _problems(paths=paths)


def test_relative_paths_are_refused_and_the_home_is_known(home: Path) -> None:
    assert "must be an absolute path" in _problems(paths={"inbox": "inbox"})
    assert validated({"paths": {"inbox": "~/in"}}).paths.inbox == home / "in"


def test_no_field_lacks_bounds_against_nonsense() -> None:
    for table in ("watch", "align", "limits", "transcribe", "notify"):
        for key, value in asdict(getattr(Config(), table)).items():
            if isinstance(value, int | float) and not isinstance(value, bool):
                assert re.search(rf"{table}\.{key}", _problems(**{table: {key: -5}}))


@pytest.mark.parametrize("name", ["{stem}", "{date} {stem}", "{stem}.{language}", "talk {{1}}"])
def test_a_name_for_the_results_may_hold_what_is_known(name: str) -> None:
    assert validated({"output": {"name": name}}).output.name == name


@pytest.mark.parametrize(
    "name",
    ["../{stem}", "a/b", "a\\b", "", " . ", "{stem", "{job}", "{stem.x}", "{stem!r}", "{stem:9999}",
     "{}", "{0}", "a\nb", "\u202eb"],
)  # fmt: skip
def test_a_name_that_could_lead_elsewhere_is_refused(name: str) -> None:
    assert "output.name: " in _problems(output={"name": name})


@pytest.mark.parametrize(
    ("table", "key", "value", "said"),
    [
        ("output", "mode", "rw-r--r--", 'a file mode such as "0640"'),
        ("output", "group", "no such group", "is no group of this machine"),
        ("limits", "hours", "at night", "two times of the day"),
        ("limits", "hours", "25:00-07:00", "two times of the day"),
        ("vocabulary", "replace", {"x": " "}, "may not be empty"),
        ("queue", "priority", 1_000, "must be at most 100"),
    ],
)
def test_what_a_setting_means_is_said_where_it_is_wrong(
    table: str, key: str, value: object, said: str
) -> None:
    assert said in _problems(**{table: {key: value}})


def test_done_and_failed_are_kept_apart(tmp_path: Path) -> None:
    paths = {"done": str(tmp_path / "a"), "failed": str(tmp_path / "a")}
    assert "done must not be the failed folder" in _problems(paths=paths)
