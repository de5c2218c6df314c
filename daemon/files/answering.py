"""Asking the system in a thread, where the question may have to wait for a person or a server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def asked_in_thread(ask: Callable[[], T]) -> Future[T]:
    """What `ask` will return or raise. Such a call cannot be broken off.

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

    threading.Thread(target=run, name="ask", daemon=True).start()
    return answer


def answer_within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns or raises. Raises TimeoutError where it does not answer in time.

    It then goes on in its thread, and is forgotten.
    """
    return asked_in_thread(ask).result(seconds)
