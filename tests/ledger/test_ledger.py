"""What is next for each file, whatever happened in between."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.domain.job import (
    TERMINAL,
    TRANSITIONS,
    Candidate,
    Failure,
    FailureKind,
    Identity,
    Job,
    Stage,
    StageRecord,
)
from daemon.ledger.inbox_scan import Seen
from daemon.ledger.ledger import CorruptLedgerError, InvalidTransitionError, Ledger
from daemon.ledger.schema import MIGRATIONS, SCHEMA_VERSION, identity_values

ONE = Candidate(Path("/in/one.wav"), Identity(10, 20, 30, 40))
TWO = Candidate(Path("/in/two.wav"), Identity(11, 21, 31, 41))
CHANGED = replace(ONE, identity=Identity(99, 20, 30, 40))


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with closing(Ledger(tmp_path / "ledger.db")) as opened:
        yield opened


def _admit(ledger: Ledger, candidate: Candidate = ONE) -> Job:
    (job,) = ledger.admit([candidate], 100.0)
    return job


def _seen(candidate: Candidate) -> Seen:
    return (*identity_values(candidate), candidate.refusal)


def _end(ledger: Ledger, job: Job, stage: Stage, exit_: str, following: Stage | None) -> None:
    ledger.end(job.id, StageRecord(stage, ended_at=2.0, exit=exit_, cpu_seconds=1.0), following)


def _next(ledger: Ledger, job: Job) -> Stage:
    known = ledger.job(job.id)
    assert known is not None
    return known.next


def test_a_file_is_admitted_once_however_often_it_is_seen(ledger: Ledger) -> None:
    assert [job.source for job in ledger.admit([ONE, TWO, ONE], 1.0)] == [ONE.path, TWO.path]
    assert ledger.admit([ONE, TWO], 2.0) == []


def test_a_file_that_is_under_way_is_not_admitted_under_another_identity(ledger: Ledger) -> None:
    _admit(ledger)
    assert ledger.admit([CHANGED], 2.0) == []


def test_a_changed_file_is_new_when_the_old_one_is_done(ledger: Ledger) -> None:
    ledger.move(_admit(ledger).id, Stage.DONE, 2.0)
    assert len(ledger.admit([CHANGED], 3.0)) == 1
    assert ledger.admit([ONE], 4.0) == []


def test_a_file_that_left_and_came_back_is_new(ledger: Ledger) -> None:
    job = _admit(ledger)
    ledger.move(job.id, Stage.GONE, 2.0)
    (again,) = ledger.admit([ONE], 3.0)
    assert (again.id, again.next) == (job.id, Stage.PREPARE)


def test_what_can_be_no_recording_goes_straight_to_quarantine(ledger: Ledger) -> None:
    job = _admit(ledger, replace(ONE, refusal="this is a folder"))
    assert job.next is Stage.QUARANTINE
    assert job.failure == Failure(Stage.PREPARE, FailureKind.BAD_INPUT, "this is a folder")


def test_names_need_not_be_text(ledger: Ledger) -> None:
    path = Path(os.fsdecode(b"/in/caf\xe9\n.wav"))
    job = _admit(ledger, replace(ONE, path=path))
    assert job.source == path
    assert ledger.active_at(path) == job


def test_everything_survives_a_restart(tmp_path: Path, ledger: Ledger) -> None:
    job = _admit(ledger)
    ledger.begin(job.id, Stage.PREPARE, 1.0)
    with closing(Ledger(tmp_path / "ledger.db")) as again:
        assert again.job(job.id) == job
        assert again.record(job.id, Stage.PREPARE).starts == 1
        assert again.record(job.id, Stage.PREPARE).interruptions() == 1


def test_an_end_and_what_follows_are_one_commit(ledger: Ledger) -> None:
    job = _admit(ledger)
    ledger.begin(job.id, Stage.PREPARE, 1.0)
    _end(ledger, job, Stage.PREPARE, "ok", Stage.TRANSCRIBE)
    record = ledger.record(job.id, Stage.PREPARE)
    assert _next(ledger, job) is Stage.TRANSCRIBE
    assert (record.starts, record.failures, record.exit, record.cpu_seconds) == (1, 0, "ok", 1.0)


def test_costs_of_all_attempts_add_up(ledger: Ledger) -> None:
    job = _admit(ledger)
    for exit_ in ("signal 11", "ok"):
        ledger.begin(job.id, Stage.ALIGN, 1.0)
        _end(ledger, job, Stage.ALIGN, exit_, None)
    record = ledger.record(job.id, Stage.ALIGN)
    assert (record.starts, record.failures, record.exit, record.cpu_seconds) == (2, 1, "ok", 2.0)


def test_a_start_that_is_given_back_was_none(ledger: Ledger) -> None:
    job = _admit(ledger)
    ledger.begin(job.id, Stage.ALIGN, 1.0)
    ledger.uncount_start(job.id, Stage.ALIGN)
    assert ledger.record(job.id, Stage.ALIGN).starts == 0


def test_files_that_failed_wait_behind_those_that_never_began(ledger: Ledger) -> None:
    first, second = ledger.admit([ONE, TWO], 1.0)
    ledger.begin(first.id, Stage.PREPARE, 2.0)
    _end(ledger, first, Stage.PREPARE, "exit 1", None)
    assert list(ledger.waiting(Stage.PREPARE)) == [second.id, first.id]


def test_a_short_file_overtakes_long_ones_that_came_a_little_earlier(ledger: Ledger) -> None:
    long = [Candidate(Path(f"/in/{n}"), Identity(10**9, 2, 3, n + 9)) for n in range(600)]
    earlier = ledger.admit(long, 1.0)
    (short,) = ledger.admit([ONE], 400.0)
    (last,) = ledger.admit([TWO], 600.0)
    expected = [short.id, *(job.id for job in earlier), last.id]
    assert list(ledger.waiting(Stage.PREPARE, by_due=True)) == expected
    assert list(ledger.waiting(Stage.PREPARE)) == sorted(expected)


def test_a_changed_file_starts_over(ledger: Ledger) -> None:
    job = _admit(ledger)
    ledger.begin(job.id, Stage.PREPARE, 1.0)
    ledger.move(job.id, Stage.ALIGN)
    ledger.renew(job.id, CHANGED)
    renewed = ledger.job(job.id)
    assert renewed is not None
    assert (renewed.identity, renewed.next) == (CHANGED.identity, Stage.PREPARE)
    assert ledger.record(job.id, Stage.PREPARE).starts == 0


def test_other_bytes_void_what_was_made_of_the_old_ones(ledger: Ledger) -> None:
    job = _admit(ledger)
    assert ledger.set_digest(job.id, "a" * 64)
    ledger.begin(job.id, Stage.TRANSCRIBE, 1.0)
    assert not ledger.set_digest(job.id, "a" * 64)
    assert ledger.record(job.id, Stage.TRANSCRIBE).starts == 1
    assert ledger.set_digest(job.id, "b" * 64)
    assert ledger.record(job.id, Stage.TRANSCRIBE).starts == 0


def test_reserved_names_are_known_until_the_end(ledger: Ledger) -> None:
    first, second = ledger.admit([ONE, TWO], 1.0)
    ledger.reserve(first.id, "one")
    assert ledger.reserved_stems(besides=second.id) == {"one"}
    assert ledger.reserved_stems(besides=first.id) == set()
    ledger.move(first.id, Stage.DONE, 2.0)
    assert ledger.reserved_stems(besides=second.id) == set()


def test_questions_for_status(ledger: Ledger) -> None:
    first, second = ledger.admit([ONE, TWO], 1.0)
    assert ledger.anything_active()
    ledger.move(first.id, Stage.DONE, 2.0)
    ledger.mark_failed(second.id, Failure(Stage.PREPARE, FailureKind.CRASHED, "it broke"))
    ledger.move(second.id, Stage.FAILED, 3.0)
    assert not ledger.anything_active()
    assert ledger.counts() == {Stage.DONE: 1, Stage.FAILED: 1}
    assert [job.id for job in ledger.recent(5)] == [second.id, first.id]


def test_a_recording_delivered_before_is_recognised(ledger: Ledger) -> None:
    job = _admit(ledger)
    ledger.set_digest(job.id, "a" * 64)
    assert ledger.delivered(ONE.path, "a" * 64) is None
    ledger.move(job.id, Stage.DONE, 2.0)
    assert ledger.delivered(ONE.path, "a" * 64) is not None
    assert ledger.delivered(TWO.path, "a" * 64) is None


def test_a_scan_is_compared_with_what_is_known(ledger: Ledger) -> None:
    ledger.admit([ONE, TWO], 1.0)
    new = Candidate(Path("/in/new.wav"), Identity(1, 1, 1, 1))
    seen = ledger.compare(map(_seen, [CHANGED, new]))
    assert seen.fresh(10) == [new, CHANGED]
    assert seen.fresh(1) == [new]
    assert [job.source for job in seen.absent(Path("/in"), 10)] == [TWO.path]
    assert seen.at(new.path) == new
    assert seen.at(TWO.path) is None


def test_a_reader_cannot_write_and_does_not_disturb(tmp_path: Path, ledger: Ledger) -> None:
    _admit(ledger)
    with closing(Ledger(tmp_path / "ledger.db", read_only=True)) as reader:
        assert len(reader.active()) == 1
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader.move(1, Stage.DONE, 2.0)
        _admit(ledger, TWO)
        assert len(reader.active()) == 2


@pytest.mark.parametrize("damage", ["noise", "newer"])
def test_a_damaged_or_newer_database_is_not_taken_for_ours(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "ledger.db"
    if damage == "noise":
        path.write_bytes(b"this is no database at all" * 400)
    else:
        with closing(sqlite3.connect(path)) as database:
            database.execute("PRAGMA user_version = 99")
    with pytest.raises(CorruptLedgerError):
        Ledger(path)


@pytest.mark.parametrize("following", Stage)
@pytest.mark.parametrize("current", Stage)
def test_only_the_steps_of_the_table_can_be_taken(
    tmp_path: Path, current: Stage, following: Stage
) -> None:
    path = tmp_path / "ledger.db"
    with closing(Ledger(path)) as ledger:
        job = _admit(ledger)
    with closing(sqlite3.connect(path)) as db:
        db.execute("UPDATE jobs SET next = ?", (current,))
        db.commit()
    with closing(Ledger(path)) as ledger:
        stays = following is current and current not in TERMINAL
        if stays or following in TRANSITIONS[current]:
            ledger.move(job.id, following, 2.0)
            assert _next(ledger, job) is following
        else:
            with pytest.raises(InvalidTransitionError):
                ledger.move(job.id, following, 2.0)
            with pytest.raises(InvalidTransitionError):
                _end(ledger, job, Stage.PREPARE, "ok", following)
            assert _next(ledger, job) is current


def test_the_kind_of_a_failure_is_kept_with_its_record(ledger: Ledger) -> None:
    job = _admit(ledger)
    ledger.begin(job.id, Stage.PREPARE, 1.0)
    failed = StageRecord(
        Stage.PREPARE, ended_at=2.0, exit="stalled", kind=FailureKind.TIMED_OUT, reason="too slow"
    )
    ledger.end(job.id, failed, None)
    record = ledger.record(job.id, Stage.PREPARE)
    assert (record.kind, record.reason) == (FailureKind.TIMED_OUT, "too slow")


def _indices(ledger: Ledger) -> set[tuple[str, str]]:
    rows = ledger._db.execute("SELECT name, sql FROM sqlite_master WHERE type = 'index'")
    return set(rows)


def test_a_ledger_of_an_earlier_version_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with closing(Ledger(path)) as ledger:
        job = _admit(ledger)
        ledger.begin(job.id, Stage.PREPARE, 1.0)
        indices = _indices(ledger)
    with closing(sqlite3.connect(path)) as db:
        db.execute("DROP INDEX jobs_by_due")
        db.execute("CREATE INDEX jobs_by_due ON jobs (next) WHERE next IN ('prepare', 'align')")
        db.execute("ALTER TABLE stages DROP COLUMN kind")
        db.execute("PRAGMA user_version = 1")
        db.commit()
    with closing(Ledger(path)) as ledger:
        assert ledger.record(job.id, Stage.PREPARE).starts == 1
        assert not ledger.is_new
        assert _indices(ledger) == indices
    assert set(MIGRATIONS) == set(range(1, SCHEMA_VERSION))


def test_only_finished_jobs_can_be_forgotten_and_their_numbers_are_not_given_again(
    ledger: Ledger,
) -> None:
    over, active = _admit(ledger), _admit(ledger, TWO)
    ledger.begin(over.id, Stage.PREPARE, 1.0)
    ledger.move(over.id, Stage.GONE, 2.0)
    ledger.forget([over.id, active.id])
    assert [job.id for job in ledger.newest()] == [active.id]
    assert ledger.record(over.id, Stage.PREPARE).starts == 0
    assert _admit(ledger).id > active.id


def test_no_question_of_a_turn_walks_through_the_finished_jobs(ledger: Ledger) -> None:
    """There may be a million. Statistics would not help: the ledger never gathers any."""
    asked: list[str] = []
    db = ledger._db
    db.set_trace_callback(asked.append)
    ledger.anything_active()
    ledger.active()
    list(ledger.waiting(Stage.PREPARE))
    list(ledger.waiting(Stage.PREPARE, by_due=True))
    ledger.active_at(ONE.path)
    ledger.reserved_stems(besides=1)
    ledger.delivered(ONE.path, "0")
    ledger.delivered_content("0")
    ledger.last_delivered(ONE.path, 9)
    ledger.recovered(ONE.path, "0")
    ledger.oldest(0, 10)
    scan = ledger.compare([_seen(ONE)])
    scan.fresh(10)
    scan.absent(Path("/in"), 10)
    db.set_trace_callback(None)
    questions = [query for query in asked if query.lstrip().startswith("SELECT")]
    assert len(questions) >= 11
    plans = [
        (row[3], query) for query in questions for row in db.execute(f"EXPLAIN QUERY PLAN {query}")
    ]
    assert [plan for plan in plans if plan[0].startswith("SCAN jobs")] == []
    assert any("jobs_by_stem" in step for step, _ in plans)  # nor those that wait
    done = [step for step, query in plans if "next = 'done'" in query]
    assert done
    assert [step for step in done if "jobs_by_next" in step] == []


def test_every_job_is_walked_through_newest_first_and_some_oldest_first(ledger: Ledger) -> None:
    many = [replace(ONE, path=Path(f"/in/{number}.wav")) for number in range(1200)]
    ledger.admit(many, 1.0)
    assert [job.id for job in ledger.newest()] == list(range(1200, 0, -1))
    assert [job.id for job in ledger.recent(3)] == [1200, 1199, 1198]
    assert [job.id for job in ledger.oldest(7, 2)] == [8, 9]


def test_a_file_that_we_moved_away_may_come_back_with_the_same_identity(ledger: Ledger) -> None:
    """As after a retry, on a volume that keeps no change times."""
    job, kept = _admit(ledger), _admit(ledger, TWO)
    for one, has_left in ((job, True), (kept, False)):
        ledger.mark_failed(one.id, Failure(Stage.PREPARE, FailureKind.BAD_INPUT, "bad"))
        ledger.finish(one.id, Stage.FAILED, 2.0, has_left)
    seen = ledger.compare(map(_seen, [ONE, TWO])).fresh(10)
    assert seen == [ONE]
    (again,) = ledger.admit(seen, 3.0)
    assert again.id not in {job.id, kept.id}


@pytest.mark.parametrize("change", [Ledger.renew, Ledger.relocate])
def test_an_identity_that_a_finished_job_had_can_be_an_active_ones(
    ledger: Ledger, change: Callable[[Ledger, int, Candidate], None]
) -> None:
    """Taken away before it was read, replaced by another, and put back over that."""
    gone = _admit(ledger)
    ledger.move(gone.id, Stage.GONE, 1.0)
    (active,) = ledger.admit([CHANGED], 2.0)
    change(ledger, active.id, ONE)
    known = ledger.job(active.id)
    assert known is not None
    assert known.identity == ONE.identity
    assert ledger.active() == [known]


@pytest.mark.parametrize("damage", ["next = 'nonsense'", "source = 7", "size = 'large'"])
def test_a_row_that_cannot_be_read_is_a_damaged_ledger(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "ledger.db"
    with closing(Ledger(path)) as ledger:
        _admit(ledger)
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"UPDATE jobs SET {damage}")
        db.commit()
    with closing(Ledger(path, read_only=True)) as ledger, pytest.raises(sqlite3.DatabaseError):
        ledger.recent(1)
    if "nonsense" not in damage:  # that one is no active job's
        with pytest.raises(CorruptLedgerError):
            Ledger(path)
