"""Names that never collide, and output sets that are whole when they can be seen."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.outbox import placing
from daemon.outbox.placing import TakenError, fitting, free_stem, publish, stem_of

FILES = {"json": b"{}", "txt": b"text", "timing.json": b"{}"}


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("meeting.m4a", "meeting"),
        ("v1.2.final.wav", "v1.2.final"),
        ("trailing..m4a", "trailing."),
        ("fête 🎉.wav", "fête 🎉"),
        ("two\nlines.wav", "two_nlines"),
        (".wav", "wav"),
        ("...wav", "recording"),
        ("back\\slash.wav", "back_slash"),
    ],
)
def test_a_recordings_name_stays_recognisable(name: str, stem: str) -> None:
    assert stem_of(Path("/in") / name) == stem


@given(st.binary(min_size=1, max_size=255).filter(lambda raw: not {0, 47} & set(raw)))
def test_every_name_gives_a_stem_that_is_a_safe_file_name(raw: bytes) -> None:
    stem = stem_of(Path("/in") / os.fsdecode(raw))
    assert stem
    assert "/" not in stem
    assert not stem.startswith(".")
    assert len(f"{stem} (999).timing.json".encode()) <= 255


def test_a_cut_name_ends_at_a_character() -> None:
    assert fitting("é" * 200, "").encode().decode() == "é" * 115


def test_a_taken_name_gets_a_number(tmp_path: Path) -> None:
    assert free_stem(tmp_path, "a", FILES, []) == "a"
    (tmp_path / "a.txt").touch()
    assert free_stem(tmp_path, "a", FILES, []) == "a (2)"
    assert free_stem(tmp_path, "a", FILES, ["a (2)"]) == "a (3)"
    assert free_stem(tmp_path, "b", FILES, ["B"]) == "b (2)"


def test_names_that_a_mac_thinks_equal_are_equal(tmp_path: Path) -> None:
    (tmp_path / (unicodedata.normalize("NFD", "fête") + ".JSON")).touch()
    assert free_stem(tmp_path, unicodedata.normalize("NFC", "fête"), FILES, []) == "fête (2)"


def test_the_json_is_the_last_to_appear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    appeared: list[str] = []
    place = placing.place

    def record(data: bytes, path: Path) -> None:
        place(data, path)
        appeared.append(path.name)

    monkeypatch.setattr(placing, "place", record)
    publish(tmp_path, "a", FILES)
    assert sorted(appeared) == sorted(f"a.{suffix}" for suffix in FILES)
    assert appeared[-1] == "a.json"


def test_publishing_again_changes_nothing(tmp_path: Path) -> None:
    paths = publish(tmp_path, "a", FILES)
    before = {path: path.stat() for path in tmp_path.iterdir()}
    assert publish(tmp_path, "a", FILES) == paths
    assert {path: path.stat() for path in tmp_path.iterdir()} == before


def test_publishing_goes_on_where_it_was_cut_off(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_bytes(FILES["txt"])
    publish(tmp_path, "a", FILES)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {
        f"a.{suffix}": data for suffix, data in FILES.items()
    }


@pytest.mark.parametrize("theirs", ["a.txt", "a.json", "a.timing.json"])
def test_somebody_elses_file_is_kept_and_ours_withdrawn(tmp_path: Path, theirs: str) -> None:
    (tmp_path / theirs).write_bytes(b"theirs")
    with pytest.raises(TakenError):
        publish(tmp_path, "a", FILES)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [(theirs, b"theirs")]


def test_a_link_in_the_outbox_is_somebody_elses(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_bytes(FILES["txt"])
    (tmp_path / "a.txt").symlink_to(target)
    with pytest.raises(TakenError):
        publish(tmp_path, "a", FILES)
    assert (tmp_path / "a.txt").is_symlink()


@given(
    st.sampled_from(["{stem}", "{date}{stem}", "{stem} {language}", "{language}", "..{stem}"]),
    st.text(max_size=300),
    st.text(max_size=12),
)
def test_whatever_the_fields_hold_a_name_stays_in_the_outbox(
    template: str, stem: str, language: str
) -> None:
    name = placing.named(template, {"stem": stem, "date": "2026-03-04", "language": language})
    assert Path(name).name == name
    assert name not in {"", ".", ".."}
    assert not name.startswith(".")
    assert "\\" not in name
    assert len(name.encode()) <= 230


def test_the_index_keeps_its_name(tmp_path: Path) -> None:
    assert placing.free_stem(tmp_path, "Index", ["html"], placing.RESERVED) == "Index (2)"
