"""Asking with a limit. What does not answer is a FIFO that nobody writes to: a real wait."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from daemon.files.answering import answer_within


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
