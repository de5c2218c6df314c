"""Word errors, counted; and the part of the benchmark that adds them up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from daemon.bench.accuracy import measure
from daemon.bench.transcription import Recording, load
from daemon.bench.word_errors import WordErrors, word_errors
from daemon.models.registry import BUNDLED


@pytest.mark.parametrize(
    ("said", "truth", "language", "errors"),
    [
        ("Ask not what!", "ask not what", "en", WordErrors(0, 0, 0, 3)),
        ("ask what", "ask not what", "en", WordErrors(0, 1, 0, 3)),
        ("ask nod what you", "ask not what", "en", WordErrors(1, 0, 1, 3)),
        ("", "ask not", "en", WordErrors(0, 2, 0, 2)),
        ("you", "", "en", WordErrors(0, 0, 1, 0)),
        ("1, 2, 3", "one two three", "en", WordErrors(0, 0, 0, 3)),
        ("砸自己的脚。", "砸自己的手", "zh", WordErrors(1, 0, 0, 5)),
        ("90210", "nine oh two one oh", "en", WordErrors(0, 0, 0, 5)),
        ("9-0-2-1-0", "nine oh two one oh", "en", WordErrors(0, 0, 0, 5)),
        ("9021", "nine oh two one oh", "en", WordErrors(0, 1, 0, 5)),
        (
            "100001 90210",
            "one zero zero zero one nine oh two one oh",
            "en",
            WordErrors(0, 0, 1, 10),
        ),
        ("it costs 927", "it costs nine hundred twenty seven", "en", WordErrors(0, 0, 0, 6)),
        ("in 1984 or 2026", "in nineteen eighty four or 2026", "en", WordErrors(0, 0, 0, 10)),
        ("call nine one one", "call 911", "en", WordErrors(0, 0, 0, 5)),
        ("oh no", "o no", "en", WordErrors(1, 0, 0, 2)),
        ("eins neun vier", "194", "de", WordErrors(0, 0, 0, 1)),
    ],
)
def test_words_are_compared_without_case_punctuation_and_figures(
    said: str, truth: str, language: str, errors: WordErrors
) -> None:
    assert word_errors(said, truth, language) == errors


def test_every_system_is_measured_on_every_recording() -> None:
    silence = np.zeros(16_000, np.float32)
    recordings = [
        (Recording(name, silence, Path(name), truth), {"text": truth, "language": "en"})
        for name, truth in (("a", "one two"), ("b", "three four five"))
    ]
    systems = {"deaf": lambda _: "", "right": lambda recording: str(recording.truth)}
    *each, deaf, right = measure("mlx", systems, recordings)
    assert [(row.table, row.system, row.notes["dropped"]) for row in each] == [
        ("a, through mlx", "deaf", 2),
        ("a, through mlx", "right", 0),
        ("b, through mlx", "deaf", 3),
        ("b, through mlx", "right", 0),
    ]
    assert (deaf.system, deaf.notes["dropped"], deaf.notes["errors"]) == ("deaf", 5, "100.0%")
    assert (right.system, right.notes["words"], right.notes["errors"]) == ("right", 5, "0.0%")


def test_a_recording_is_what_a_recogniser_takes(tmp_path: Path) -> None:
    recording = load(BUNDLED / "audio" / "jfk.flac", tmp_path)
    assert recording.samples.dtype == np.float32
    assert 0.1 < float(np.abs(recording.samples).max()) <= 1.0


def test_every_bundled_truth_has_its_recording_and_a_licence() -> None:
    truths = sorted((BUNDLED / "audio").glob("*.truth.json"))
    assert len(truths) > 10
    for path in truths:
        truth = json.loads(path.read_bytes())
        assert truth["licence"].startswith(("public domain", "CC0", "CC BY"))
        name = path.name.removesuffix(".truth.json")
        assert any((BUNDLED / "audio").glob(f"{name}.[!t]*"))
