"""Slow work beside the loop: done once, asked for again, broken off, and nothing left of it."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from daemon.domain.job import Identity
from daemon.files.atomic import Check, remove_hidden
from daemon.files.background import About, Background, BrokenOffError, UnderWayError
from daemon.files.moving import copy_whole
from daemon.files.recording import has_bytes

FOLDER = Path("/done")
_HUGE = 20_000_000_000  # bytes: a day of video; to read them takes longer than a service may


class _Ends:
    """Counts what has ended."""

    def __init__(self) -> None:
        self._some = threading.Semaphore(0)

    def post(self) -> None:
        self._some.release()

    def wait(self) -> None:
        assert self._some.acquire(timeout=60)


@pytest.fixture
def ends() -> _Ends:
    return _Ends()


@pytest.fixture
def background(ends: _Ends) -> Background:
    return Background(ends.post)


@pytest.fixture
def huge(tmp_path: Path) -> Path:
    path = tmp_path / "long.mov"
    path.touch()
    os.truncate(path, _HUGE)
    return path


def test_the_same_work_is_done_once(background: Background, ends: _Ends) -> None:
    done: list[str] = []
    with pytest.raises(UnderWayError):
        background.result(About(1, "copy", FOLDER), "this", lambda _: done.append("this"))
    ends.wait()
    assert not background.is_busy_with(1)
    background.result(About(1, "copy", FOLDER), "this", lambda _: done.append("this"))
    background.drop(1)
    with pytest.raises(UnderWayError):
        background.result(About(1, "copy", FOLDER), "this", lambda _: done.append("anew"))
    ends.wait()
    assert done == ["this", "anew"]


def test_a_result_of_what_was_wanted_before_is_discarded(
    background: Background, ends: _Ends
) -> None:
    discarded: list[str] = []
    for wanted in ("this", "that"):
        for kind in ("read", "copy"):
            with pytest.raises(UnderWayError):
                background.result(
                    About(1, kind, FOLDER), wanted, lambda _, it=wanted: it, discarded.append
                )
            ends.wait()
    assert discarded == ["this", "this"]
    assert background.result(About(1, "read", FOLDER), "that", lambda _: "anew") == "that"


def test_what_goes_wrong_is_told_to_who_asks(background: Background, ends: _Ends) -> None:
    def fail(_: Check) -> None:
        raise OSError("full")

    with pytest.raises(UnderWayError):
        background.result(About(1, "copy", FOLDER), "this", fail)
    ends.wait()
    with pytest.raises(OSError, match="full"):
        background.result(About(1, "copy", FOLDER), "this", fail)


def test_a_result_that_nobody_takes_is_discarded(background: Background, ends: _Ends) -> None:
    """One that has ended, one that ends although it was to break off, and one that never began."""
    begun, go_on, discarded = threading.Event(), threading.Event(), []

    def work(_: Check) -> str:
        begun.set()
        assert go_on.wait(60)
        return "late"

    for job, task in ((1, lambda _: "early"), (2, work), (3, lambda _: "never")):
        with pytest.raises(UnderWayError):
            background.result(About(job, "copy", FOLDER), "this", task, discarded.append)
    assert begun.wait(60)
    assert [background.is_busy_with(job) for job in (1, 2, 3)] == [False, True, True]
    for job in (1, 2, 3):
        background.drop(job)
    assert not background.is_busy
    go_on.set()
    for _ in range(3):
        ends.wait()
    assert discarded == ["early", "late"]


def test_a_short_task_does_not_wait_for_a_long_one(background: Background, ends: _Ends) -> None:
    go_on = threading.Event()
    with pytest.raises(UnderWayError):
        background.result(About(1, "copy", FOLDER), "long", lambda _: go_on.wait(60), is_long=True)
    with pytest.raises(UnderWayError):
        background.result(About(2, "copy", FOLDER), "short", lambda _: "done")
    ends.wait()
    assert background.result(About(2, "copy", FOLDER), "short", lambda _: "again") == "done"
    assert background.is_busy_with(1)
    go_on.set()
    ends.wait()


def test_a_task_that_stands_still_is_told_until_it_makes_a_step(
    background: Background, ends: _Ends
) -> None:
    begun, step, stepped = threading.Event(), threading.Event(), threading.Event()

    def work(check: Check) -> None:
        begun.set()
        assert step.wait(60)
        check()
        stepped.set()

    about = About(1, "copy", FOLDER)
    with pytest.raises(UnderWayError):
        background.result(about, "this", work)
    with pytest.raises(UnderWayError):
        background.result(About(2, "copy", FOLDER), "that", lambda _: None)
    assert begun.wait(60)
    now = time.monotonic()
    ((told, heard),) = background.standing_still(now)
    assert (told, heard <= now) == (about, True)
    background.drop(1)  # it keeps its thread from the others all the same
    assert background.standing_still(now) == [(about, heard)]
    step.set()
    ends.wait()  # broken off by its step
    ends.wait()
    assert not stepped.is_set()
    assert background.standing_still(time.monotonic()) == []


def test_a_task_that_makes_steps_does_not_stand_still(background: Background, ends: _Ends) -> None:
    stepped, end = threading.Event(), threading.Event()

    def work(check: Check) -> None:
        check()
        stepped.set()
        assert end.wait(60)

    before = time.monotonic()
    with pytest.raises(UnderWayError):
        background.result(About(1, "copy", FOLDER), "this", work)
    assert stepped.wait(60)
    assert background.standing_still(before - 1.0) == []
    end.set()
    ends.wait()


def test_a_stop_overtakes_the_reading_of_a_huge_recording(
    background: Background, huge: Path
) -> None:
    now = Identity.of(huge.lstat())
    with pytest.raises(UnderWayError):
        background.result(
            About(1, "copy", FOLDER), "read", lambda check: has_bytes(huge, now, "0" * 64, check)
        )
    answer = background._tasks[1]["copy"][1].answer
    background.stop()
    assert isinstance(answer.exception(60), BrokenOffError)


def test_a_stop_overtakes_the_copying_of_a_huge_recording(
    background: Background, huge: Path, tmp_path: Path
) -> None:
    done = tmp_path / "done"
    done.mkdir()
    copying = threading.Event()

    def copy(check: Check) -> Path:
        def look() -> None:
            copying.set()
            check()

        return copy_whole(huge, None, done, look)

    with pytest.raises(UnderWayError):
        background.result(About(1, "copy", FOLDER), "copy", copy, remove_hidden)
    assert copying.wait(60)
    answer = background._tasks[1]["copy"][1].answer
    background.stop()
    assert isinstance(answer.exception(60), BrokenOffError)
    assert list(done.iterdir()) == []
