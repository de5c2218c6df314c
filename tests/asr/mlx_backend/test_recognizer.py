"""daemon.asr.mlx_backend.recognizer and what is under it, with the bundled model on the samples."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from daemon.domain.transcript import Segment
from daemon.domain.validation import from_json
from daemon.models.hardware import blas_environment, choose
from tests.kit.recognition import word_errors

SAMPLES = {
    "memo-10s": "en",
    "german-20s": "de",
    "french-20s": "fr",
    "spanish-20s": "es",
    "meeting-60s": "en",
}
BATCHES = (1, 8)

Heard = dict[str, list[dict[str, Any]]]  # by batch size, then one for each sample


def _recognize(samples: list[str], batches: tuple[int, ...], temporary: Path) -> Heard:
    command = [sys.executable, "-m", "tests.kit.recognize_samples", ",".join(samples)]
    child = subprocess.run(
        [*command, ",".join(map(str, batches))],
        env=os.environ | blas_environment(choose("mlx")) | {"TMPDIR": str(temporary)},
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        check=True,
    )
    heard: Heard = json.loads(child.stdout)
    return heard


@pytest.fixture(scope="module")
def temporary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("temporary")


@pytest.fixture(scope="module")
def heard(temporary: Path) -> Heard:
    return _recognize(list(SAMPLES), BATCHES, temporary)


def _segments(result: dict[str, Any]) -> list[Segment]:
    return [from_json(Segment, json.dumps(segment)) for segment in result["segments"]]


@pytest.mark.parametrize("batch", BATCHES)
def test_every_sample_is_heard_without_a_wrong_word_at_every_batch_size(
    heard: Heard, batch: int
) -> None:
    for result in heard[str(batch)]:
        assert result["language"] == SAMPLES[result["sample"]]
        assert word_errors(_segments(result), result["sample"]) == 0, result["sample"]


@pytest.mark.skipif(choose("mlx").device != "cpu", reason="a GPU's kernels have to be compiled")
@pytest.mark.usefixtures("heard")
def test_on_a_cpu_nothing_waits_for_a_compiler(temporary: Path) -> None:
    """MLX would leave the C++ that it has compiled beside the temporary files."""
    assert not [path for path in temporary.rglob("*") if path.suffix in {".cpp", ".so"}]


def test_the_tokens_are_the_same_at_every_batch_size(heard: Heard) -> None:
    alone, *together = ([result["tokens"] for result in heard[str(size)]] for size in BATCHES)
    assert all(tokens == alone for tokens in together)


def test_segments_are_in_order_and_have_a_length(heard: Heard) -> None:
    for result in heard["8"]:
        segments = _segments(result)
        assert [segment.id for segment in segments] == list(range(len(segments)))
        assert all(segment.end > segment.start for segment in segments)
        assert all(first.end <= then.start + 1e-6 for first, then in pairwise(segments))
        assert all(segment.avg_logprob > -1 for segment in segments)
        assert all(0 <= segment.no_speech_prob < 0.6 for segment in segments)


@pytest.mark.slow
def test_a_lecture_has_no_more_wrong_words_than_the_better_of_stock(tmp_path: Path) -> None:
    """2.4 % is mlx_whisper without conditioning on previous text; with it, 17.4 %."""
    (result,) = _recognize(["lecture-12min"], (8,), tmp_path)["8"]
    assert word_errors(_segments(result), "lecture-12min") <= 0.024
