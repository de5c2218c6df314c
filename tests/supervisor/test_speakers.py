"""DIARIZE beside the other stages: it delays little, and its failure costs the labels only."""

from __future__ import annotations

from pathlib import Path

import pytest

from daemon.domain.job import Stage
from tests.kit.fake_commands import fake_commands
from tests.kit.pipeline import JobEnd, run_one
from tests.kit.schemas import check

VOICES = {"speakers": {"mode": "voices", "max_memory_mb": 200}}
LIMITS = {"limits": {"grace_seconds": 0.2, "min_free_mb": 1}}


def _run(root: Path, diarize: str = "ok", **ways: str) -> JobEnd:
    return run_one(root, fake_commands(diarize=diarize, **ways), {**VOICES, **LIMITS})


def _said(end: JobEnd) -> list[tuple[str | None, str]]:
    return [(one.get("speaker"), one["text"]) for one in end.document["segments"]]


def test_words_and_segments_have_speakers_and_segments_are_split(tmp_path: Path) -> None:
    end = _run(tmp_path)
    assert end.job.next is Stage.DONE
    assert _said(end) == [
        ("SPEAKER_00", "One"),
        ("SPEAKER_01", "two three."),
        ("SPEAKER_01", "Four five."),
    ]
    assert {word["speaker"] for word in end.document["word_segments"]} == {
        "SPEAKER_00",
        "SPEAKER_01",
    }
    assert [one["speaker"] for one in end.document["speakers"]] == ["SPEAKER_00", "SPEAKER_01"]
    assert end.timing["stages"]["diarize"]["exit"] == "ok"
    check(end.document, "transcript")
    check(end.timing, "timing")
    text = (end.config.paths.outbox / "memo.txt").read_text()
    assert "SPEAKER_00" in text


def test_nobody_asked(tmp_path: Path) -> None:
    end = run_one(tmp_path, fake_commands(diarize="segv"), LIMITS)
    assert end.job.next is Stage.DONE
    assert "speakers" not in end.document
    assert "diarize" not in end.timing["stages"]


def test_names_are_given_in_the_order_of_first_words(tmp_path: Path) -> None:
    tables = {"speakers": {"mode": "voices", "names": ["Ada", "Bob"]}, **LIMITS}
    end = run_one(tmp_path, fake_commands(), tables)
    assert _said(end)[:2] == [("Ada", "One"), ("Bob", "two three.")]


def test_it_runs_beside_the_transcription(tmp_path: Path) -> None:
    """The transcription waits here until the speakers are known."""
    known = tmp_path / "data" / "state" / "jobs" / "1" / "speakers.json"
    end = _run(tmp_path / "data", transcribe=f"gate:{known}")
    assert end.job.next is Stage.DONE
    assert _said(end)[0] == ("SPEAKER_00", "One")


def test_the_delivery_waits_for_it(tmp_path: Path) -> None:
    aligned = tmp_path / "data" / "state" / "jobs" / "1" / "alignment.json"
    end = _run(tmp_path / "data", f"gate:{aligned}")
    assert _said(end)[0] == ("SPEAKER_00", "One")


def test_without_words_the_segments_have_speakers(tmp_path: Path) -> None:
    tables = {**VOICES, **LIMITS, "align": {"enabled": False}}
    end = run_one(tmp_path, fake_commands(), tables)
    assert [speaker for speaker, _ in _said(end)] == ["SPEAKER_01", "SPEAKER_01"]


@pytest.mark.parametrize(
    ("way", "reason"),
    [
        ("segv", "SIGSEGV"),
        ("kill", "SIGKILL"),
        ("hang", "without progress"),
        ("swell", "memory"),
        ("broken_result", "speakers.json is broken"),
        ("other_attempt", "another attempt"),
        ("no_result", "it wrote no speakers.json"),
        ("bad_input", "not a recording"),
        ("fail", "exit code 7"),
    ],
)
def test_its_failure_costs_the_labels_only_with_the_reason(
    way: str, reason: str, tmp_path: Path
) -> None:
    impatient = {"stall_seconds": 1.0 if way == "hang" else 60.0}
    tables = {"speakers": {**VOICES["speakers"], **impatient}, **LIMITS}
    end = run_one(tmp_path, fake_commands(diarize=way), tables)
    assert end.job.next is Stage.DONE
    assert _said(end) == [(None, "One two three."), (None, "Four five.")]
    assert end.document["alignment"]["status"] == "complete"
    assert end.document["diarization"]["status"] == "failed"
    assert reason in end.document["diarization"]["reason"]
    assert end.document["speakers"] == []
    assert len(end.told("no_speakers")) == 1
    check(end.document, "transcript")


def test_it_is_tried_again(tmp_path: Path) -> None:
    end = _run(tmp_path, "segv 1")
    assert _said(end)[0] == ("SPEAKER_00", "One")
    assert end.records[Stage.DIARIZE].failures == 1
