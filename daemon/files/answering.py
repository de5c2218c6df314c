"""Asking the system in a thread, where the question may have to wait for a person or a server."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def asked_in_thread(ask: Callable[[], T]) -> Future[T]:
    """What `ask` will return or raise. Such a call cannot be broken off.

    Raises OSError where there is no room for a thread.
    A daemon thread makes it: one that hangs in the system does not keep the program from ending.
    """
    answer = Future[T]()

    def run() -> None:
        try:
            found = ask()
        except Exception as error:
            answer.set_exception(error)
        else:
            answer.set_result(found)

    start_thread(threading.Thread(target=run, name="ask", daemon=True))
    return answer


def start_thread(thread: threading.Thread) -> None:
    """Raises OSError (EAGAIN) where the system has no room for it: a fault of the machine."""
    try:
        thread.start()
    except RuntimeError as error:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN)) from error


def answer_within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns or raises. Raises TimeoutError where it does not answer in time.

    It then goes on in its thread, and is forgotten.
    """
    return asked_in_thread(ask).result(seconds)
