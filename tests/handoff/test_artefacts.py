"""What stages hand to one another, read with distrust."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from daemon.domain.job import Identity, Stage
from daemon.domain.transcript import Recognition, Segment
from daemon.domain.validation import to_json
from daemon.handoff import artefacts
from daemon.handoff.artefacts import InvalidArtefactError, JobRequest, Prepared

PREPARED = Prepared("a" * 64, 5, 1.5, "wav", "pcm", None, ("a warning",), ((0.0, 1.0),))
RECOGNITION = Recognition("en", 1.0, (Segment(0, 0, 1, "Hi.", -0.1, 0.0),), "b", "d", "m", "r", {})


def test_a_request_survives_any_file_name(tmp_path: Path) -> None:
    source = Path(os.fsdecode(b"/in/caf\xe9\n.wav"))
    request = JobRequest(source, Identity(1, 2, 3, 4), "de", ("de", "en"), "Anna", 10, 20.0)
    request.write(tmp_path)
    assert JobRequest.read(tmp_path) == request


def test_a_request_of_an_earlier_version_is_read_with_the_defaults(tmp_path: Path) -> None:
    request = JobRequest(Path("/in/a.wav"), Identity(1, 2, 3, 4), "de", ("de",), None, 10, 20.0)
    request.write(tmp_path)
    path = tmp_path / artefacts.REQUEST
    data = json.loads(path.read_bytes())
    path.write_text(json.dumps({key: data[key] for key in data if key != "beam_size"}))
    assert JobRequest.read(tmp_path) == request


def test_an_artefact_counts_only_for_its_own_attempt(tmp_path: Path) -> None:
    artefacts.write_artefact(tmp_path / artefacts.PREPARED, "abc", PREPARED)
    assert artefacts.read_prepared(tmp_path, "abc") == PREPARED
    assert artefacts.read_prepared(tmp_path) == PREPARED
    with pytest.raises(InvalidArtefactError, match="from another attempt"):
        artefacts.read_prepared(tmp_path, "abd")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\xff\xfe",
        b'{"nonce": "abc"}',
        b'{"nonce": "abc", "language": "en", "segments": 5}',
        b"[" * 50_000,
        json.dumps(to_json(RECOGNITION) | {"nonce": "abc", "segments": [{"id": "x"}]}).encode(),
        json.dumps(to_json(RECOGNITION) | {"nonce": "abc", "language_probability": "1"}).encode(),
        json.dumps(to_json(RECOGNITION) | {"nonce": "abc", "versions": []}).encode(),
        json.dumps(to_json(RECOGNITION) | {"nonce": "abc", "language_probability": 1e999}).encode(),
    ],
)
def test_a_broken_artefact_is_refused_and_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / artefacts.TRANSCRIPT).write_bytes(content)
    with pytest.raises(InvalidArtefactError, match=r"its transcript\.json is broken"):
        artefacts.read_recognition(tmp_path, "abc")
    assert not artefacts.is_whole(tmp_path, Stage.TRANSCRIBE)


def test_a_missing_artefact_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidArtefactError, match=r"it wrote no alignment\.json"):
        artefacts.read_alignment(tmp_path, "abc")


def test_a_whole_artefact_is_whole(tmp_path: Path) -> None:
    artefacts.write_artefact(tmp_path / artefacts.TRANSCRIPT, "abc", RECOGNITION)
    assert artefacts.is_whole(tmp_path, Stage.TRANSCRIBE)
    assert artefacts.read_recognition(tmp_path, "abc") == RECOGNITION


def test_a_recording_that_was_refused_unread_has_nothing_to_drop(tmp_path: Path) -> None:
    artefacts.drop(tmp_path / "7")
