"""Beam search: equal to openai/whisper's, step by step, and to greedy decoding with one beam."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import mlx.core as mx
import pytest

from daemon.asr.mlx_backend.attempts import BatchSize
from daemon.asr.mlx_backend.batch_decoder import BatchDecoder
from daemon.asr.mlx_backend.beam_search import search
from daemon.asr.mlx_backend.engine import Engine
from daemon.asr.mlx_backend.weights import load_model
from daemon.asr.mlx_backend.whisper import Whisper
from daemon.asr.quality import Decoded
from daemon.asr.vocabulary import Vocabulary
from daemon.models.hardware import blas_environment, choose
from tests.asr.mlx_backend.test_batch_decoder import Piece
from tests.kit.plain_beam_search import plain_search
from tests.kit.recognition import audio_of
from tests.kit.tiny_whisper import dimensions, write_checkpoint

_SIZE = dimensions(text_context=24, width=16)
_VOCABULARY = Vocabulary(_SIZE)
_PIECES = 3  # of which two have prompts of one length
_EXACTLY = 1e-3 if mx.default_device() == mx.cpu else 0.05  # CUDA's attention rounds more
_PROMPT = _VOCABULARY.prompt("en", None)


@pytest.fixture(scope="module", params=["random", "taciturn"])
def model(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Whisper:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return load_model(write_checkpoint(folder, _SIZE, taciturn=request.param == "taciturn"))


@pytest.mark.parametrize("width", [1, 2, 5])
def test_the_search_is_that_of_openai(model: Whisper, width: int) -> None:
    engine = Engine(model, _VOCABULARY)
    samples = [audio_of("memo-10s")[start : start + 32_000] for start in (0, 32_000, 64_000)]
    cross = engine.encode(samples)
    found = search(engine, cross, [_PROMPT] * len(samples), width)
    for at, result in enumerate(found):
        one = [(k[at : at + 1], v[at : at + 1]) for k, v in cross]
        tokens, logprob = plain_search(
            model, _VOCABULARY, one, _PROMPT, width, engine.room(len(_PROMPT))
        )
        assert result.beam.tokens == tokens
        assert result.beam.logprob == pytest.approx(logprob, abs=_EXACTLY)


def _decode(model: Whisper, beams: int, rows: int, temperatures: Sequence[float]) -> list[Decoded]:
    """Some pieces through the batch decoder."""
    waiting = [Piece(seed, _VOCABULARY, beams) for seed in range(_PIECES)]
    results: dict[int, Decoded] = {}

    def take(most: int) -> list[Piece]:
        taken = waiting[:most]
        del waiting[:most]
        return taken

    size = BatchSize(rows=rows, encoded=min(2, rows))
    BatchDecoder[Piece](Engine(model, _VOCABULARY), _VOCABULARY, size, temperatures).run(
        take, lambda piece, decoded: results.update({piece.seed: decoded})
    )
    return [results[seed] for seed in range(_PIECES)]


def test_beams_do_not_depend_on_what_is_decoded_beside_them(model: Whisper) -> None:
    alone, together = _decode(model, 3, 1, (0.0,)), _decode(model, 3, 8, (0.0,))
    assert [decoded.tokens for decoded in alone] == [decoded.tokens for decoded in together]


def test_what_failed_with_beams_is_sampled_in_the_rows(model: Whisper) -> None:
    """The search is the first attempt and no more: the others are those of greedy decoding."""
    beams, greedy = (_decode(model, width, 8, (0.0, 0.6)) for width in (3, 1))
    searched = _decode(model, 3, 8, (0.0,))
    for result, first, other in zip(beams, searched, greedy, strict=True):
        assert result.tokens in (first.tokens, other.tokens)
        assert result.avg_logprob >= first.avg_logprob - 1e-3


def test_a_search_that_goes_round_in_circles_is_given_up(tmp_path: Path) -> None:
    size = dimensions(text_context=256, width=16)
    vocabulary = Vocabulary(size)
    engine = Engine(
        load_model(write_checkpoint(tmp_path / "babbling", size, babbling=True)), vocabulary
    )
    cross = engine.encode([audio_of("memo-10s")[:32_000]])
    (found,) = search(engine, cross, [_PROMPT], 2, [lambda tokens: len(tokens) > 30])
    assert 30 < len(found.beam.tokens) < engine.room(len(_PROMPT))


@pytest.mark.slow
def test_on_real_weights_as_well() -> None:
    names = ["libri61.flac", "librivox0890.flac"]
    child = subprocess.run(
        [sys.executable, "-m", "tests.kit.plain_beam_search", "5", *names],
        env=os.environ | blas_environment(choose("mlx")),
        cwd=Path(__file__).parents[3],
        stdout=subprocess.PIPE,
        check=True,
    )
    for name, heard in json.loads(child.stdout).items():
        tokens, logprob = heard["plain"]
        assert heard["search"][0] == tokens, name
        assert heard["search"][1] == pytest.approx(logprob, abs=0.02), name
