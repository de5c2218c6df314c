"""Names that never collide, and output sets that are whole when they can be seen."""

from __future__ import annotations

import errno
import os
import unicodedata
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.names import named
from daemon.files.atomic import BreakOff
from daemon.files.renaming import StrPath
from daemon.outbox import placing
from daemon.outbox.placing import UNSPEAKABLE, StemIndex, TakenError, folded_name, publish

_CONTENT = {"json": b"{}", "txt": b"text", "timing.json": b"{}"}


@pytest.fixture
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A rendered set, by suffix."""
    folder = tmp_path_factory.mktemp("rendered")
    for suffix, data in _CONTENT.items():
        (folder / suffix).write_bytes(data)
    return {suffix: folder / suffix for suffix in _CONTENT}


def _free(outbox: Path, stem: str, *reserved: str) -> str:
    return StemIndex(outbox).free_stem(stem, set(map(folded_name, reserved)).__contains__)


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    assert _free(tmp_path, "a") == "a"
    (tmp_path / "a.txt").touch()
    assert _free(tmp_path, "a") == "a (2)"
    assert _free(tmp_path, "a", "a (2)") == "a (3)"
    assert _free(tmp_path, "b", "B") == "b (2)"


def test_names_that_a_mac_thinks_equal_are_equal(tmp_path: Path) -> None:
    (tmp_path / (unicodedata.normalize("NFD", "fête") + ".JSON")).touch()
    (tmp_path / "memo.TIMING.json").touch()
    assert _free(tmp_path, unicodedata.normalize("NFC", "fête")) == "fête (2)"
    assert _free(tmp_path, "Memo") == "Memo (2)"


def test_the_outbox_is_listed_again_only_if_somebody_else_changed_it(
    tmp_path: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 0.0
    index = StemIndex(tmp_path, lambda: now)
    assert index.free_stem("a", _nobody) == "a"
    publish(tmp_path, "a", files)
    index.add("a")
    with monkeypatch.context() as patch:
        patch.setattr(placing.os, "scandir", _must_not_be_called)
        assert index.free_stem("a", _nobody) == "a (2)"
    (tmp_path / "b.txt").touch()
    os.utime(tmp_path, ns=(1, 1))
    assert index.free_stem("b", _nobody) == "b (2)"


def test_a_large_outbox_is_listed_in_a_thread(tmp_path: Path, files: dict[str, Path]) -> None:
    now, asked = 0.0, _Asked()
    index = StemIndex(tmp_path, lambda: now)
    (tmp_path / "a.txt").touch()
    assert not index.refresh(asked)
    assert index.is_being_listed
    publish(tmp_path, "b", files)
    index.add("b")
    assert not index.refresh(asked)
    now = 1.0
    asked.answer()
    assert index.refresh(asked)
    assert index.free_stem("a", _nobody) == "a (2)"
    assert index.free_stem("b", _nobody) == "b (2)"
    (tmp_path / "c.txt").touch()
    os.utime(tmp_path, ns=(1, 1))
    assert index.refresh(asked)  # it was listed just now
    now = 22.0
    assert not index.refresh(asked)
    asked.answer()
    assert index.refresh(asked)
    assert index.free_stem("c", _nobody) == "c (2)"


def test_an_outbox_that_could_not_be_listed_is_listed_again(tmp_path: Path) -> None:
    index, asked = StemIndex(tmp_path), _Asked()
    (tmp_path / "a.txt").touch()
    assert not index.refresh(asked)
    asked.futures[0].set_exception(OSError(errno.EIO, "a fault"))
    with pytest.raises(OSError, match="a fault"):
        index.refresh(asked)
    assert index.free_stem("a", _nobody) == "a (2)"


class _Asked:
    """The questions that a thread would answer."""

    def __init__(self) -> None:
        self.futures: list[Future[set[int]]] = []
        self._question: Callable[[], set[int]] = set

    def __call__(self, question: Callable[[], set[int]]) -> Future[set[int]]:
        self._question = question
        self.futures.append(Future())
        return self.futures[-1]

    def answer(self) -> None:
        self.futures[-1].set_result(self._question())


def _nobody(_: str) -> bool:
    return False


def _must_not_be_called(*_: object) -> None:
    raise AssertionError("the outbox was listed")


def test_the_json_is_the_last_to_appear(
    tmp_path: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    appeared: list[str] = []
    place = placing.place_copy

    def record(source: StrPath, folder: StrPath, path: str, *rest: BreakOff) -> None:
        place(source, folder, path, *rest)
        appeared.append(Path(path).name)

    monkeypatch.setattr(placing, "place_copy", record)
    publish(tmp_path, "a", files)
    assert sorted(appeared) == sorted(f"a.{suffix}" for suffix in files)
    assert appeared[-1] == "a.json"


def test_publishing_again_changes_nothing(tmp_path: Path, files: dict[str, Path]) -> None:
    paths = publish(tmp_path, "a", files)
    before = {path: path.stat() for path in tmp_path.iterdir()}
    assert publish(tmp_path, "a", files) == paths
    assert {path: path.stat() for path in tmp_path.iterdir()} == before


def test_publishing_goes_on_where_it_was_cut_off(tmp_path: Path, files: dict[str, Path]) -> None:
    (tmp_path / "a.txt").write_bytes(_CONTENT["txt"])
    publish(tmp_path, "a", files)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        f"a.{suffix}": data for suffix, data in _CONTENT.items()
    }


@pytest.mark.parametrize("theirs", ["a.txt", "a.json", "a.timing.json"])
def test_somebody_elses_file_is_kept_and_ours_withdrawn(
    tmp_path: Path, files: dict[str, Path], theirs: str
) -> None:
    (tmp_path / theirs).write_bytes(b"theirs")
    with pytest.raises(TakenError):
        publish(tmp_path, "a", files)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(theirs, b"theirs")]


def test_a_link_in_the_outbox_is_somebody_elses(tmp_path: Path, files: dict[str, Path]) -> None:
    target = tmp_path / "target"
    target.write_bytes(_CONTENT["txt"])
    (tmp_path / "a.txt").symlink_to(target)
    with pytest.raises(TakenError):
        publish(tmp_path, "a", files)
    assert (tmp_path / "a.txt").is_symlink()


@given(
    st.sampled_from(["{stem}", "{date}{stem}", "{stem} {language}", "{language}", "..{stem}"]),
    st.text(max_size=300),
    st.text(max_size=12),
)
def test_whatever_the_fields_hold_a_name_stays_in_the_outbox(
    template: str, stem: str, language: str
) -> None:
    name = named(template, {"stem": stem, "date": "2026-03-04", "language": language})
    assert Path(name).name == name
    assert name not in {"", ".", ".."}
    assert not name.startswith(".")
    assert "\\" not in name
    assert len(name.encode()) <= 230


def test_the_index_keeps_its_name(tmp_path: Path) -> None:
    assert _free(tmp_path, "Index", *placing.RESERVED) == "Index (2)"


@pytest.mark.parametrize("number", sorted(UNSPEAKABLE))
def test_a_name_that_the_volume_cannot_hold_leaves_nothing_of_its_set(
    tmp_path: Path, files: dict[str, Path], monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    real = placing.place_copy

    def place(source: StrPath, folder: StrPath, path: str, *rest: BreakOff) -> None:
        if path.endswith("/a.timing.json"):
            raise OSError(number, os.strerror(number), path)
        real(source, folder, path, *rest)

    monkeypatch.setattr(placing, "place_copy", place)
    with pytest.raises(OSError, match=os.strerror(number)):
        publish(tmp_path, "a", files)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("plant", [os.mkfifo, os.mkdir])
def test_what_is_planted_in_the_outbox_is_somebody_elses_and_never_waited_for(
    tmp_path: Path, files: dict[str, Path], plant: Callable[[Path], None]
) -> None:
    plant(tmp_path / "a.json")
    with pytest.raises(TakenError):
        publish(tmp_path, "a", files)
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]
