"""What the Finder and iCloud say of a file. No Mac here: the answers come from a stand-in probe."""

from __future__ import annotations

import datetime
import math
import os
from pathlib import Path

import pytest

from daemon.inbox.finder_info import Busy, Dataless, Facts, Readiness, Ready, probe, readiness


def ask(facts: Facts) -> Readiness:
    status = os.lstat(__file__)
    return readiness(Path(__file__), status, lambda _path, _status: facts)


def utc(moment: str) -> float:
    return datetime.datetime.fromisoformat(f"{moment}Z").timestamp()


def test_an_ordinary_file_is_ready() -> None:
    assert ask(Facts(birth=utc("2026-05-04T00:00:00"), finder_info=b"\0" * 32)) == Ready()


def test_a_file_on_a_system_that_is_no_mac_is_ready(tmp_path: Path) -> None:
    file = tmp_path / "a.wav"
    file.touch()
    assert readiness(file, file.lstat()) == Ready()
    assert probe(file, file.lstat()).finder_info == b""


@pytest.mark.parametrize(
    "birth",
    [
        utc("1904-01-01T00:00:00"),
        utc("1946-02-14T00:34:56"),
        utc("1946-02-14T08:34:56"),
        utc("1946-02-13T23:34:56"),
    ],
    ids=["the zero of HFS", "Finder.h's date in London", "in California", "in Berlin"],
)
def test_a_creation_date_that_means_busy_is_believed_for_ever(birth: float) -> None:
    found = ask(Facts(birth=birth))
    assert isinstance(found, Busy)
    assert math.isinf(found.patience)


def test_the_macintoshs_first_day_is_believed_for_ten_minutes_of_stillness() -> None:
    found = ask(Facts(birth=utc("1984-01-24T08:00:00")))
    assert isinstance(found, Busy)
    assert found.patience == 600


def test_a_second_beside_those_dates_means_nothing() -> None:
    assert ask(Facts(birth=utc("1984-01-24T08:00:01"))) == Ready()


def test_a_copy_that_the_finder_has_not_finished_is_busy() -> None:
    found = ask(Facts(birth=utc("2026-01-01T00:00:00"), finder_info=b"brokMACS" + b"\0" * 24))
    assert isinstance(found, Busy)
    assert "Finder" in found.reason


@pytest.mark.parametrize("info", [b"brok" + b"\0" * 28, b"\0" * 4 + b"MACS", b""])
def test_half_a_sign_is_no_sign(info: bytes) -> None:
    assert ask(Facts(finder_info=info)) == Ready()


def test_a_file_whose_content_is_in_icloud_is_dataless_whatever_else_is_said() -> None:
    found = ask(
        Facts(birth=utc("1904-01-01T00:00:00"), flags=0x40000000 | 0x20, finder_info=b"brokMACS")
    )
    assert found == Dataless()


def test_other_file_flags_do_not_mean_dataless() -> None:
    assert ask(Facts(flags=0x00000020 | 0x00008000)) == Ready()  # compressed, hidden
