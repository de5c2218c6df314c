"""Recordings go to the Trash when they were kept for long enough, and no others do."""

from __future__ import annotations

import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from daemon.reporting.event_log import EventLog
from daemon.supervisor.context import Context
from daemon.supervisor.power import in_hours
from daemon.supervisor.retention import Retention, to_trash
from tests.kit.queue_on_disk import QueueOnDisk

DAY = 86_400.0


@pytest.mark.parametrize(
    ("days", "later", "gone"),
    [(0, 999, []), (7, 6, []), (7, 8, ["old.wav", "talk.wav", "twice (2).wav"])],
)
def test_only_what_we_filed_and_what_is_old_enough_goes(
    days: int, later: float, gone: list[str], tmp_path: Path
) -> None:
    queue = QueueOnDisk(tmp_path / "q", {"output": {"keep_days": days}})
    queue.done("old.wav", "old")  # at 1 060 s
    _refiled(queue, "days/talk.wav", "days/talk.wav")  # the folder that it came from is mirrored
    _refiled(queue, "twice.wav", "twice (2).wav")
    queue.done("changed.wav", "changed")
    (queue.config.paths.done / "changed.wav").write_bytes(b"somebody's own")
    (queue.config.paths.done / "mine.wav").write_bytes(b"never a job")
    discarded: list[str] = []
    with queue.ledger() as ledger:
        context = SimpleNamespace(
            config=queue.config,
            ledger=ledger,
            event_log=EventLog(),
            clock=lambda: 1.0,
            unix_time=lambda: 1_060.0 + later * DAY,
            folder=lambda job: tmp_path / str(job),
        )
        retention = Retention(cast(Context, context), lambda path: discarded.append(path.name))
        retention.tidy()
        retention.tidy()  # not twice in a row
    assert discarded == gone


def _refiled(queue: QueueOnDisk, name: str, filed: str) -> None:
    done = queue.config.paths.done
    for folder in (queue.config.paths.inbox, done):
        (folder / name).parent.mkdir(exist_ok=True)
    queue.done(name, Path(name).stem)
    (done / name).rename(done / filed)


@pytest.mark.parametrize(("days", "gone"), [(0, False), (7, True), (9, False)])
def test_what_is_long_over_leaves_the_history(days: int, gone: bool, tmp_path: Path) -> None:
    """But not while it could come in again, or be retried."""
    queue = QueueOnDisk(tmp_path / "q", {"limits": {"keep_days": days}})
    old, retriable = queue.done("old.wav", "old"), queue.failed("bad.wav")
    given_up, kept = queue.failed("worse.wav"), queue.done("kept.wav", "kept")
    (queue.config.paths.failed / "worse.wav").unlink()
    kept.source.write_bytes(b"sound")
    waiting = queue.waiting("waiting.wav")
    jobs = queue.config.paths.state / "jobs"
    for job in (old, retriable, given_up, kept, waiting):
        (jobs / str(job.id)).mkdir(parents=True)
        (jobs / str(job.id) / "voices.npz").write_bytes(b"whose voices these are")
    with queue.ledger() as ledger:
        context = SimpleNamespace(
            config=queue.config,
            ledger=ledger,
            event_log=EventLog(),
            clock=lambda: 1.0,
            unix_time=lambda: 1_060.0 + 8 * DAY,
            folder=lambda job: jobs / str(job),
        )
        Retention(cast(Context, context)).tidy()
        left = {job.id for job in ledger.newest()}
    over = {old.id, given_up.id} if gone else set()
    assert {old.id, retriable.id, given_up.id, kept.id, waiting.id} - left == over
    assert {int(path.name) for path in jobs.iterdir()} == left


def test_the_trash_is_the_desktops_own(tmp_path: Path, home: Path) -> None:
    recording = home / "old.wav"
    recording.write_bytes(b"sound")
    to_trash(recording)
    assert not recording.exists()
    assert [path.read_bytes() for path in home.rglob("old.wav")] == [b"sound"]


@pytest.mark.parametrize(
    ("hours", "hour", "inside"),
    [("22:00-07:00", 23, True), ("22:00-07:00", 6, True), ("22:00-07:00", 12, False),
     ("09:00-17:00", 12, True), ("09:00-17:00", 17, False)],
)  # fmt: skip
def test_hours_may_pass_midnight(hours: str, hour: int, inside: bool) -> None:
    moment = datetime.datetime(2026, 5, 4, hour).astimezone()
    assert in_hours(hours, moment.timestamp()) == inside
