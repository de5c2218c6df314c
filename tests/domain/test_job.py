"""Identities, records, and names that cannot harm a terminal."""

from __future__ import annotations

import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from daemon.domain.job import TERMINAL, Identity, Job, Stage, StageRecord
from daemon.domain.names import printable

_IDENTITY = Identity(1, 2, 3, 4)


def test_an_identity_changes_with_the_bytes_that_a_path_holds(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    first = Identity.of(path.stat())
    assert Identity.of(path.stat()) == first
    path.write_bytes(b"two!")
    assert Identity.of(path.stat()) != first


def test_a_change_that_restores_size_and_time_is_still_a_change(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    path.write_bytes(b"one")
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Identity.of(path.stat()) != Identity.of(before)


def test_a_job_is_named_by_what_a_terminal_can_show() -> None:
    source = Path(os.fsdecode(b"/in/a\nb\x1b[31m\xff.wav"))
    job = Job(1, source, _IDENTITY, Stage.PREPARE, 0.0)
    assert job.name == "a\\nb\\x1b[31m\\udcff.wav"


def test_emoji_stay_whole_and_direction_overrides_do_not() -> None:
    family = "👨\u200d👩\u200d👧"
    assert printable(family) == family
    assert printable("abc\u202egnp.wav") == "abc\\u202egnp.wav"


@given(st.text(st.characters(codec=None)))
def test_printable_text_is_printable_and_stays_so(text: str) -> None:
    shown = printable(text)
    assert all(char.isprintable() or char in "\u200c\u200d" for char in shown)
    assert printable(shown) == shown
    shown.encode()


def test_starts_whose_end_nobody_saw_are_interruptions() -> None:
    assert StageRecord(Stage.ALIGN, starts=3, failures=1).interruptions() == 2
    assert StageRecord(Stage.ALIGN, starts=3, failures=2, exit="ok").interruptions() == 0


def test_nothing_follows_a_terminal_stage() -> None:
    assert {Stage.DONE, Stage.FAILED, Stage.GONE} == TERMINAL


def test_numbers_that_need_64_bits_without_a_sign_fit_the_ledger() -> None:
    """As inodes of some network volumes do, and times of the 25th century."""

    class Status:
        st_size, st_mtime_ns, st_ctime_ns, st_ino = 1, 2**63 + 5, -5, 2**64 - 1

    found = Identity.of(Status)  # type: ignore[arg-type]
    assert found == Identity(1, 5 - 2**63, -5, -1)
