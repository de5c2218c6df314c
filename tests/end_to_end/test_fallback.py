"""Alignment may break in any way: the transcript is delivered, with segments and the reason.

The stages are fakes (fakes/stage.py) that really crash, hang, flood and swell, in processes of
their own; the supervisor, the ledger and the delivery are the real ones.
"""

from __future__ import annotations

from pathlib import Path

import psutil
import pytest

from daemon.domain.job import Stage
from daemon.processes.attempts import Attempts
from tests.kit.daemon_process import Tables
from tests.kit.fake_commands import fake_commands
from tests.kit.pipeline import run_one

STALL_SECONDS = 1  # for those that hang; the others get an hour, however slow the machine is

REASONS = {
    "segv": "alignment crashed with a memory error (SIGSEGV)",
    "abort": "alignment aborted itself (SIGABRT)",
    "kill": "alignment was killed (SIGKILL), most likely because the system ran out of memory",
    "hang": "alignment was stopped after 1 s without progress",
    "stop": "alignment was stopped after 1 s without progress",
    "marktime": "alignment was stopped after 1 s without progress",
    "flood_stdout": "alignment was stopped: it flooded its output with noise",
    "flood_stdout_with_one_line": "alignment was stopped: it flooded its output with noise",
    "flood_stderr": "alignment was stopped after 1 s without progress",
    "leave": "alignment ended without a result",
    "fail": "alignment ended with exit code 7",
    "no_result": "alignment reported success, but it wrote no alignment.json",
    "broken_result": "alignment reported success, but its alignment.json is broken",
    "truncated_result": "alignment reported success, but its alignment.json is broken",
    "wrong_nonce": "alignment reported success, but its alignment.json is broken"
    " (it is from another attempt)",
    "early:segv": "alignment crashed with a memory error (SIGSEGV)",
}


@pytest.mark.parametrize("way", REASONS)
def test_a_broken_aligner_costs_the_words_times_and_nothing_else(way: str, tmp_path: Path) -> None:
    stall = STALL_SECONDS if "without progress" in REASONS[way] else 3600
    ended = run_one(tmp_path, fake_commands(align=way), _limits(stall))
    assert ended.job.next is Stage.DONE
    document = ended.document
    assert [segment["text"] for segment in document["segments"]] == ["One two three.", "Four five."]
    assert document["word_segments"] == []
    assert document["alignment"]["status"] == "failed"
    assert document["alignment"]["reason"].startswith(REASONS[way])
    assert document["alignment"]["reason"].endswith("(2 attempts)")
    assert ended.records[Stage.ALIGN].failures == 2
    assert ended.timing["stages"]["align"]["attempts"] == 2
    assert not _left_behind(tmp_path)


def test_an_aligner_that_swells_is_stopped_at_its_limit(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(align="hog"), _limits(3600))
    reason = ended.document["alignment"]["reason"]
    assert reason.startswith("alignment was stopped at ")
    assert "MB of memory (limit 150 MB)" in reason


@pytest.mark.parametrize("way", ["segv", "hang", "leave", "broken_result", "early:abort"])
def test_a_second_child_makes_good_what_the_first_broke(way: str, tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(align=f"once:{way}"), _limits(4))
    assert ended.document["alignment"] == {
        "status": "complete",
        "reason": "",
        "model": "fake",
        "coverage": 1.0,
    }
    assert len(ended.document["word_segments"]) == 5
    assert len(ended.told("retrying")) == 1


def test_an_aligner_that_fails_early_does_not_end_the_transcription(tmp_path: Path) -> None:
    """Its attempts are used up while the transcriber still waits at the gate."""
    gate = tmp_path / "gate"
    begun: set[str] = set()
    turns_after = 0

    def look(attempts: Attempts) -> None:
        nonlocal turns_after
        aligning = attempts.of(Stage.ALIGN)
        begun.update(run.nonce for run in aligning)
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
    ended = run_one(tmp_path, fake_commands(align="crash_after_receipt"))
    assert ended.document["alignment"]["status"] == "complete"
    assert ended.records[Stage.ALIGN].failures == 0


def test_what_an_aligner_started_ends_with_it(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(align="grandchild"))
    assert ended.document["alignment"]["reason"].startswith("alignment ended with exit code 9")
    assert not _left_behind(tmp_path)


def test_a_pipe_that_somebody_else_holds_open_does_not_hold_us(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(align="unseen_grandchild"))
    assert ended.document["alignment"]["reason"].startswith("alignment ended with exit code 9")


def test_a_flood_does_not_fill_the_disk(tmp_path: Path) -> None:
    def look(_: object) -> None:
        for log in tmp_path.rglob("job.log"):
            sizes.append(log.stat().st_size)

    sizes: list[int] = []
    run_one(tmp_path, fake_commands(align="flood_stderr"), _limits(STALL_SECONDS), look)
    assert max(sizes) > 1_000_000
    assert sizes[-1] <= 80_000_000  # 16 MB, and what a flood adds between two looks


def test_the_reason_is_in_the_log(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(align="fail"))
    (told,) = ended.told("unaligned")
    assert told["reason"] == "alignment ended with exit code 7 (2 attempts)"
    assert told["level"] == "warning"


def test_the_number_of_attempts_is_configured(tmp_path: Path) -> None:
    ended = run_one(tmp_path, fake_commands(align="fail"), {"align": {"attempts": 1}})
    assert ended.document["alignment"]["reason"] == "alignment ended with exit code 7"
    assert ended.records[Stage.ALIGN].starts == 1


def _limits(stall_seconds: float) -> Tables:
    return {"align": {"stall_seconds": stall_seconds, "max_memory_mb": 150}}


def _left_behind(root: Path) -> list[psutil.Process]:
    """Living processes that work in a folder of this test."""
    found = []
    for process in psutil.process_iter(["cwd", "status"]):
        cwd, status = process.info["cwd"], process.info["status"]
        if cwd and status != psutil.STATUS_ZOMBIE and Path(cwd).is_relative_to(root):
            found.append(process)
    return found
