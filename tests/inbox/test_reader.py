"""A call that may hang is made in a thread, and whoever asked is told."""

from __future__ import annotations

import threading

import pytest

from daemon.inbox import reader
from daemon.inbox.reader import Reader


def test_what_the_call_returns_can_be_taken_once_it_has_ended() -> None:
    ended = threading.Event()
    looking = Reader[int](ended.set)
    looking.begin(lambda: 7)
    assert ended.wait(30)
    assert looking.has_ended
    assert looking.is_busy
    assert looking.take() == 7
    assert not looking.is_busy


def test_what_the_call_raises_is_raised_to_whoever_takes_it() -> None:
    ended = threading.Event()
    looking = Reader[int](ended.set)
    looking.begin(lambda: int("none"))
    assert ended.wait(30)
    with pytest.raises(ValueError, match="none"):
        looking.take()


def test_a_call_that_hangs_is_overdue_until_it_ends() -> None:
    ended, answer = threading.Event(), threading.Event()
    now = 100.0
    looking = Reader[bool](ended.set, lambda: now)
    looking.begin(lambda: answer.wait(60))
    assert not looking.is_overdue(now + reader.LIMIT_SECONDS - 1)
    assert looking.is_overdue(now + reader.LIMIT_SECONDS)
    answer.set()
    assert ended.wait(30)
    assert not looking.is_overdue(now + reader.LIMIT_SECONDS)
