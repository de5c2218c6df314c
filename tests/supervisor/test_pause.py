"""A fault of the machine is told once, with a remedy, and is over when it is over."""

from __future__ import annotations

from daemon.reporting.event_log import EventLog
from daemon.supervisor.pause import RETRY_SECONDS, Pause


class _Heard(EventLog):
    """A journal that keeps what it is told."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[str] = []

    def info(self, event: str, message: str, *_: object, **__: object) -> None:
        self.events.append(message)

    warning = info


def test_a_pause_holds_for_a_while_and_is_told_once() -> None:
    heard = _Heard()
    pause = Pause(heard)
    assert not pause.holds(0.0)
    for now in (10.0, 20.0):
        pause.begin("work", "the disk is full", now)
    assert pause.holds(20.0 + RETRY_SECONDS - 0.1)
    assert not pause.holds(20.0 + RETRY_SECONDS)
    assert heard.events == ["paused: the disk is full"]


def test_faults_that_take_turns_are_told_once_each_and_few_of_them() -> None:
    """As a full disk does, which is met in one folder after the other."""
    heard = _Heard()
    pause = Pause(heard)
    for turn in range(20):
        pause.begin("work", f"the disk is full (jobs/{turn % 5})", float(turn))
    assert heard.events == [f"paused: the disk is full (jobs/{number})" for number in range(3)]
    assert pause.reason == "the disk is full (jobs/4)"
    pause.end("work")
    pause.begin("work", "the disk is full (jobs/0)", 30.0)
    assert heard.events[-1] == "paused: the disk is full (jobs/0)"


def test_it_is_over_when_what_failed_works() -> None:
    heard = _Heard()
    pause = Pause(heard)
    pause.begin("work", "the disk is full", 0.0)
    pause.begin("inbox", "the folder is missing", 0.0)
    assert pause.reason == "the disk is full; the folder is missing"
    pause.end("inbox")
    pause.end("inbox")
    assert pause.reason == "the disk is full"
    pause.end("work")
    assert (pause.reason, pause.holds(0.0)) == ("", False)
    assert heard.events[-2:] == [
        "resumed; it was: the folder is missing",
        "resumed; it was: the disk is full",
    ]
