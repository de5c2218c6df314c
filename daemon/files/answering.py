"""Asking the system with a limit, where the question may have to wait for a person or a server."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import TypeVar

T = TypeVar("T")


def answer_within(seconds: float, ask: Callable[[], T]) -> T:
    """What `ask` returns or raises. Raises TimeoutError where it does not answer in time.

    It then goes on in its thread, which cannot be broken off, and is forgotten.
    """
    answer = Future[T]()

    def run() -> None:
        try:
            answer.set_result(ask())
        except Exception as error:
            answer.set_exception(error)

    threading.Thread(target=run, name="ask", daemon=True).start()
    return answer.result(seconds)
