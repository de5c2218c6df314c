"""Asking with a limit. What does not answer is a FIFO that nobody writes to: a real wait."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from daemon.files.answering import KeptThreads, answer_within


def test_an_answer_and_an_error_are_passed_on(tmp_path: Path) -> None:
    assert answer_within(30, lambda: 7) == 7
    with pytest.raises(FileNotFoundError):
        answer_within(30, (tmp_path / "none").stat)


def test_what_waits_in_the_system_is_given_up(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with pytest.raises(TimeoutError):
        answer_within(0.05, fifo.read_bytes)
    os.close(os.open(fifo, os.O_WRONLY))  # its thread ends


def test_a_thread_is_kept_for_the_next_task_and_none_waits_for_another() -> None:
    threads = KeptThreads()
    ran: list[int] = []
    free = threading.Event()

    def task(until: Callable[[], object]) -> threading.Event:
        done = threading.Event()

        def run() -> None:
            until()
            ran.append(threading.get_ident())
            done.set()

        threads.run(run)
        return done

    held = task(lambda: free.wait(30))
    assert task(lambda: None).wait(30)
    while not threads._idle:  # it comes back after its task
        time.sleep(0.001)
    assert task(lambda: None).wait(30)
    free.set()
    assert held.wait(30)
    assert ran[0] == ran[1] != ran[2]
