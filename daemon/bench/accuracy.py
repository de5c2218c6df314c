"""Word errors on recordings of real people: ours beside the peers, with the same weights.

A child of the benchmark: python -m daemon.bench.accuracy --backend mlx --model FOLDER RECORDING…
What is said in a recording lies beside it, in NAME.truth.json; where its words were timed by hand,
the starts of Whisper's own word times are measured as well.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from pathlib import Path

import numpy as np

from daemon.asr.recognizer import RecognitionOptions, Recognizer
from daemon.asr.word_times import add_words
from daemon.bench.measurement import Measurement, Note, report
from daemon.bench.transcription import (
    Recording,
    Transcribe,
    ctranslate2_systems,
    load,
    mlx_systems,
    our_segments,
)
from daemon.bench.word_errors import WordErrors, word_errors, words
from daemon.domain.transcript import Json

_TABLE = "word errors on recordings of real people, through"


def measure(
    backend: str, systems: Mapping[str, Transcribe], recordings: Sequence[tuple[Recording, Json]]
) -> list[Measurement]:
    """Every system on every recording once: a table for each recording, and one of their sums."""
    rows: list[Measurement] = []
    total = dict.fromkeys(systems, WordErrors(0, 0, 0, 0))
    seconds = dict.fromkeys(systems, 0.0)
    for recording, truth in recordings:
        for name, transcribe in systems.items():
            start = time.perf_counter()
            errors = word_errors(transcribe(recording), truth["text"], truth["language"])
            took = time.perf_counter() - start
            total[name] += errors
            seconds[name] += took
            table = f"{recording.name}, through {backend}"
            rows.append(Measurement(table, name, (took,), _notes(errors)))
    table = f"{_TABLE} {backend}"
    return rows + [
        Measurement(table, name, (seconds[name],), _notes(errors)) for name, errors in total.items()
    ]


def _notes(errors: WordErrors) -> dict[str, Note]:
    return {
        "words": errors.words,
        "substituted": errors.substituted,
        "dropped": errors.dropped,
        "inserted": errors.inserted,
        "errors": f"{errors.rate:.1%}",
    }


def measure_starts(
    backend: str, ours: Recognizer, recordings: Sequence[tuple[Recording, Json]]
) -> list[Measurement]:
    """How far Whisper's own word starts are from those that were timed by hand."""
    start, errors = time.perf_counter(), list[float]()
    for recording, truth in recordings:
        if truth.get("words"):
            errors += _start_errors(ours, recording, truth)
    if not errors:
        return []
    milliseconds = 1000 * np.abs(errors)
    notes: dict[str, Note] = {
        "words": len(errors),
        "mean ms": round(float(milliseconds.mean())),
        "p95 ms": round(float(np.percentile(milliseconds, 95))),
    }
    table = f"Whisper's own word starts, through {backend}"
    return [Measurement(table, "dropscribe", (time.perf_counter() - start,), notes)]


def _start_errors(ours: Recognizer, recording: Recording, truth: Json) -> list[float]:
    options = RecognitionOptions(language=truth["language"])
    segments = our_segments(ours, recording, options)
    timed = add_words(recording.samples, truth["language"], segments, ours.listener())
    heard = [word for segment in timed for word in segment.words]
    said = ["".join(words(word.word)) for word in heard]
    true = ["".join(words(word["word"])) for word in truth["words"]]
    blocks = SequenceMatcher(None, said, true, autojunk=False).get_matching_blocks()
    return [
        heard[a + at].start - truth["words"][b + at]["start"]
        for a, b, size in blocks
        for at in range(size)
    ]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backend", choices=("mlx", "ctranslate2"), required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("recordings", type=Path, nargs="+")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dropscribe-bench-") as temporary:
        folder = Path(temporary)
        recordings = [
            (load(path, folder), json.loads(path.with_suffix(".truth.json").read_bytes()))
            for path in arguments.recordings
        ]
        if arguments.backend == "mlx":
            ours, systems = mlx_systems(arguments.model)
        else:
            ours, systems = ctranslate2_systems(arguments.model, folder / "converted")
        report(measure(arguments.backend, systems, recordings))
        report(measure_starts(arguments.backend, ours, recordings))


if __name__ == "__main__":
    main()
