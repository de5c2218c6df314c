"""What keeps a file waiting although it stands still, and what is done meanwhile."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from daemon.domain.job import Candidate, Identity
from daemon.inbox.completeness import CompletenessCheck
from daemon.inbox.finder_info import Busy, Dataless, Readiness, Ready
from daemon.inbox.icloud import ICloudDownloads
from daemon.inbox.scan import Settling
from daemon.reporting.event_log import EventLog

WAITING = Busy("it is still being copied")
DOUBTFUL = Busy("it looks as if it were still being copied", patience=600.0)
FILE = Candidate(Path("/inbox/a.wav"), Identity(size=3, mtime_ns=4, ctime_ns=5, inode=2))
Make = Callable[..., CompletenessCheck]


class Told:
    """The event log's messages, in order."""

    def __init__(self) -> None:
        self.messages: list[str] = []

    def __call__(self, event: str, message: str, name: str, facts: object) -> None:
        assert (event, name) == ("waiting", "")
        self.messages.append(message)


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
def make(told: Told) -> Iterator[Make]:
    downloads = ICloudDownloads(command=lambda _path: ("sleep", "60"))

    def patience(*found: Readiness) -> CompletenessCheck:
        answers = list(found)
        return CompletenessCheck(
            EventLog(told), downloads, lambda: 0.0, lambda _path: answers.pop(0)
        )

    yield patience
    downloads.close()


def downloading() -> int:
    return sum(child.name() == "sleep" for child in psutil.Process().children())


def test_an_ordinary_file_waits_for_nothing(make: Make, told: Told) -> None:
    assert make(Ready())(FILE) == 0.0
    assert told.messages == []


def test_a_file_that_the_finder_still_copies_waits_for_ever(make: Make) -> None:
    assert math.isinf(make(WAITING)(FILE))


def test_a_doubtful_sign_is_believed_for_a_while(make: Make) -> None:
    assert make(DOUBTFUL)(FILE) == 600.0


def test_a_file_in_icloud_waits_and_is_asked_for_once(make: Make) -> None:
    patience = make(Dataless(), Dataless())
    assert math.isinf(patience(FILE))
    assert math.isinf(patience(FILE))
    assert downloading() == 1


def test_the_reason_is_told_once_until_the_file_was_ready(make: Make, told: Told) -> None:
    patience = make(WAITING, WAITING, Ready(), WAITING)
    for _ in range(4):
        patience(FILE)
    assert told.messages == ["a.wav: it is still being copied"] * 2


def test_nobody_is_asked_about_what_is_refused_anyway(make: Make) -> None:
    assert make()(Candidate(FILE.path, FILE.identity, "a folder")) == 0.0


def test_a_file_that_just_left_is_no_trouble(tmp_path: Path, told: Told) -> None:
    patience = CompletenessCheck(EventLog(told), ICloudDownloads(), lambda: 0.0)
    assert patience(Candidate(tmp_path / "gone.wav", FILE.identity)) == 0.0


def test_a_file_that_waits_settles_once_it_is_ready_and_asks_for_no_scan_before(make: Make) -> None:
    settling = Settling(2.0, 30.0, make(WAITING, WAITING, WAITING, Ready()))
    assert settling.look([FILE], 0.0) == []
    assert settling.look([FILE], 2.0) == []
    assert settling.look([FILE], 60.0) == []
    assert settling.due() == math.inf
    assert len(settling) == 0, "a drain must not wait for somebody else"
    assert settling.look([FILE], 120.0) == [FILE]
