"""Alignment may break in any way: the transcript is delivered, with segments and the reason.

The stages are fakes (tests/kit/misbehaviour.py) that really crash, hang, flood and swell, in
processes of their own; the supervisor, the ledger and the delivery are the real ones.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.domain.job import Stage
from daemon.processes.attempts import Attempts
from tests.kit.daemon_process import Tables, working_in
from tests.kit.fake_commands import fake_commands
from tests.kit.fake_recording import recording
from tests.kit.pipeline import JobEnd, run_all, run_one

SAID = "One two three.\nFour five."
BROKEN = "alignment reported success, but its alignment.json is broken"
STALLED = "alignment was stopped after 3 s without progress"

# How it breaks, and what is said of it.
REASONS = {
    "segv": "alignment crashed with a memory error (SIGSEGV)",
    "abort": "alignment aborted itself (SIGABRT)",
    "kill": "alignment was killed (SIGKILL), most likely because the system ran out of memory",
    "flood_output": "alignment was stopped: it flooded its output with noise",
    "flood_line": "alignment was stopped: it flooded its output with noise",
    "leave": "alignment ended without a result",
    "fail": "alignment ended with exit code 7",
    "grandchild": "alignment ended with exit code 9",
    "unseen_grandchild": "alignment ended with exit code 9",
    "no_result": "alignment reported success, but it wrote no alignment.json",
    "broken_result": BROKEN,
    "truncated_result": BROKEN,
    "other_attempt": f"{BROKEN} (it is from another attempt)",
    "not_finite": BROKEN,
    "early:segv": "alignment crashed with a memory error (SIGSEGV)",
    "swell": "alignment was stopped at ",
    "hang": STALLED,
    "stop": STALLED,
    "spin": STALLED,
    "flood_log": STALLED,
}
# These have a daemon of their own, so that a slow machine cannot take the others for them.
STALLING = tuple(way for way, reason in REASONS.items() if reason == STALLED)
FORGIVEN = ("segv 1", "leave 1", "broken_result 1", "early:abort 1")
_MEMORY: Tables = {"align": {"max_memory_mb": 150, "stall_seconds": 3600}}
_STALL: Tables = {"align": {"stall_seconds": 3}}


def _name(way: str) -> str:
    return f"{way.replace(':', ' ')}.wav"


class Ends:
    """What became of each way, and what was left behind."""

    def __init__(self, root: Path) -> None:
        self.log_sizes: list[int] = []
        crashing = (*(way for way in REASONS if way not in STALLING), *FORGIVEN)
        self.ends = self._run(root / "crashing", crashing, _MEMORY)
        self.ends |= self._run(root / "stalling", STALLING, _STALL)
        self.left_behind = working_in(root)

    def _run(self, root: Path, ways: tuple[str, ...], tables: Tables) -> dict[str, JobEnd]:
        def look(_: object) -> None:
            self.log_sizes.extend(log.stat().st_size for log in root.glob("state/jobs/*/job.log"))

        recordings = {_name(way): recording(SAID, f"align {way}") for way in ways}
        return run_all(root, recordings, fake_commands(), tables, look)

    def of(self, way: str) -> JobEnd:
        return self.ends[_name(way)]


@pytest.fixture(scope="module")
def ends(tmp_path_factory: pytest.TempPathFactory) -> Ends:
    return Ends(tmp_path_factory.mktemp("ends"))


@pytest.mark.parametrize("way", REASONS)
def test_a_broken_aligner_costs_the_words_times_and_nothing_else(way: str, ends: Ends) -> None:
    ended = ends.of(way)
    assert ended.job.next is Stage.DONE
    document = ended.document
    assert [segment["text"] for segment in document["segments"]] == SAID.splitlines()
    assert document["word_segments"] == []
    assert document["alignment"]["status"] == "failed"
    assert document["alignment"]["reason"].startswith(REASONS[way])
    assert document["alignment"]["reason"].endswith("(2 attempts)")
    assert ended.records[Stage.ALIGN].failures == 2
    assert ended.timing["stages"]["align"]["attempts"] == 2


@pytest.mark.parametrize("way", FORGIVEN)
def test_a_second_child_makes_good_what_the_first_broke(way: str, ends: Ends) -> None:
    ended = ends.of(way)
    assert ended.document["alignment"] == {
        "status": "complete",
        "reason": "",
        "model": "fake",
        "coverage": 1.0,
    }
    assert len(ended.document["word_segments"]) == 5
    assert len(ended.told("retrying")) == 1


def test_an_aligner_that_swells_is_stopped_at_its_limit(ends: Ends) -> None:
    assert "MB of memory (limit 150 MB)" in ends.of("swell").document["alignment"]["reason"]


def test_times_that_are_no_numbers_are_refused(ends: Ends) -> None:
    # JSON has no NaN: it is refused as it is read.
    assert "alignment.json is broken" in ends.of("not_finite").document["alignment"]["reason"]


def test_what_an_aligner_started_ends_with_it(ends: Ends) -> None:
    assert not ends.left_behind


def test_a_flood_does_not_fill_the_disk(ends: Ends) -> None:
    assert max(ends.log_sizes) > 0  # how much a flood writes in its time depends on the machine
    assert max(ends.log_sizes) <= 60_000_000  # 16 MB, and what a flood adds between two looks


def test_the_reason_is_in_the_log(ends: Ends) -> None:
    (told,) = ends.of("fail").told("unaligned")
    assert told["reason"] == "alignment ended with exit code 7 (2 attempts)"
    assert told["level"] == "warning"


def test_an_aligner_that_fails_early_does_not_end_the_transcription(tmp_path: Path) -> None:
    """Its attempts are used up while the transcriber still waits at the gate."""
    gate = tmp_path / "gate"
    begun: set[str] = set()
    turns_after = 0

    def look(attempts: Attempts) -> None:
        nonlocal turns_after
        aligning = attempts.of(Stage.ALIGN)
        begun.update(attempt.nonce for attempt in aligning)
        turns_after += len(begun) == 2 and not aligning
        if turns_after > 5:
            gate.touch()

    commands = fake_commands(transcribe=f"gate:{gate}", align="early:segv")
    ended = run_one(tmp_path / "d", commands, on_turn=look)
    assert ended.document["alignment"]["status"] == "failed"
    assert len(ended.document["segments"]) == 2
    assert ended.records[Stage.TRANSCRIBE].starts == 1
    assert ended.records[Stage.PREPARE].starts == 1
    assert len(begun) == 2
    assert len(ended.told("unaligned")) == 1


def test_a_crash_after_a_valid_result_costs_nothing(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(align="abort_at_exit"))
    assert ended.document["alignment"]["status"] == "complete"
    assert ended.records[Stage.ALIGN].failures == 0


def test_the_number_of_attempts_is_configured(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(align="fail"), {"align": {"attempts": 1}})
    assert ended.document["alignment"]["reason"] == "alignment ended with exit code 7"
    assert ended.records[Stage.ALIGN].starts == 1
