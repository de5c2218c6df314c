"""The JSON of a delivery, held to the schemas that are shipped with it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from daemon.domain.job import Failure, FailureKind, Identity, Job, Stage, StageRecord
from daemon.domain.transcript import (
    Alignment,
    AlignmentStatus,
    Recognition,
    Segment,
    Word,
    WordSource,
)
from daemon.files.atomic import json_bytes
from daemon.handoff.artefacts import Prepared
from daemon.outbox import documents
from daemon.outbox.documents import Delivery, Results
from tests.kit import schemas

JOB = Job(1, Path("/in/memo.wav"), Identity(5, 1, 1, 1), Stage.PUBLISH, admitted_at=1_000.0)
PREPARED = Prepared("a" * 64, 5, 4.0, "wav", "pcm_s16le", None, (), ((0.0, 4.0),))
SEGMENTS = (
    Segment(0, 0.0, 1.5, "One two.", -0.12345678, 0.01),
    Segment(1, 2.0, 9.0, "Three.", -0.1, 0.0),
)
RECOGNITION = Recognition("de", 0.98765, SEGMENTS, "mlx", "metal", "m", "r", {"mlx": "1"})
WORDS = {
    0: (
        Word("One", 0.0, 0.4, 0.9, WordSource.ALIGNED),
        Word("two.", 0.5, 0.9, 0.0, WordSource.INTERPOLATED),
    )
}
ALIGNMENT = Alignment(AlignmentStatus.PARTIAL, "1 of 2 segments", "m", WORDS)
OPTIONS = {"language": None, "languages": [], "initial_prompt": False, "align": True}
RECORDS = [
    StageRecord(Stage.PREPARE, 1, 0, 1_001.0, 1_002.0, 0.5, 10, "ok"),
    StageRecord(Stage.TRANSCRIBE, 2, 1, 1_003.0, 1_005.0, 1.5, 20, "ok"),
    StageRecord(Stage.ALIGN),
    StageRecord(Stage.PUBLISH, 1, 0, 1_006.0, 1_006.5, 0.1, 30, "ok"),
]


def _delivery(job: Job = JOB) -> Delivery:
    return Delivery.of(job, Results(PREPARED, RECOGNITION, ALIGNMENT, OPTIONS))


def test_the_transcript_follows_its_schema() -> None:
    document = json.loads(json_bytes(documents.transcript(_delivery())))
    schemas.check(document, "transcript")
    assert document["text"] == "One two. Three."
    assert (document["language"], document["language_probability"]) == ("de", 0.9877)
    assert document["segments"][0]["avg_logprob"] == -0.1235
    assert document["segments"][1]["end"] == 4.0
    assert document["segments"][1]["words"] == []
    assert document["word_segments"] == document["segments"][0]["words"]
    assert document["alignment"] == {
        "status": "partial",
        "reason": "1 of 2 segments",
        "model": "m",
        "coverage": 0.3333,
    }


def test_the_timing_follows_its_schema() -> None:
    timing = documents.timing(_delivery(), RECORDS, 1_007.0)
    schemas.check(timing, "timing")
    assert timing["stages"]["queued"]["seconds"] == 1.0
    assert timing["stages"]["transcribe"]["attempts"] == 2
    assert timing["stages"]["align"]["exit"] == "skipped"
    assert (timing["total_seconds"], timing["speed"]) == (7.0, 0.571)
    assert timing["words"][0] == {"word": "One", "start": 0.0, "end": 0.4, "score": 0.9}


def test_a_clock_that_was_set_back_gives_no_negative_times() -> None:
    schemas.check(documents.timing(_delivery(), RECORDS, 900.0), "timing")


def test_a_source_with_a_name_that_is_no_text_has_one_in_json() -> None:
    source = Path(os.fsdecode(b"/in/caf\xe9\n.wav"))
    document = documents.transcript(_delivery(replace(JOB, source=source)))
    assert document["provenance"]["source"] == "caf\\udce9\\n.wav"


@pytest.mark.parametrize(
    "change",
    [
        {"surplus": 1},
        {"schema_version": 2},
        {"language": "English"},
        {"duration": -1},
        {"segments": [{"id": 0}]},
    ],
)
def test_the_schema_is_strict(change: dict[str, object]) -> None:
    document = documents.transcript(_delivery()) | change
    with pytest.raises(jsonschema.ValidationError):
        schemas.check(document, "transcript")


@pytest.mark.parametrize("name", ["transcript", "timing"])
def test_the_schemas_are_schemas(name: str) -> None:
    jsonschema.Draft202012Validator.check_schema(schemas.schema(name))


def test_an_error_says_what_happened_and_what_to_do() -> None:
    failure = Failure(Stage.PREPARE, FailureKind.BAD_INPUT, "the file is empty")
    error = documents.error(replace(JOB, failure=failure), RECORDS, "memo.wav")
    assert error["reason"] == "the file is empty"
    assert (error["stage"], error["kind"], error["job"]) == ("prepare", "bad_input", 1)
    assert error["remedy"].endswith("dropscribe retry 1")
    assert error["attempts"] == {"prepare": 1, "transcribe": 2, "publish": 1}
