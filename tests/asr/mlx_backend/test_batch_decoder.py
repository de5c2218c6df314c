"""On small random models: batches, replacement, retries, memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import mlx.core as mx
import numpy as np
import psutil
import pytest

from daemon.asr.mlx_backend import batch_decoder
from daemon.asr.mlx_backend.attempts import BatchSize
from daemon.asr.mlx_backend.batch_decoder import BatchDecoder
from daemon.asr.mlx_backend.batch_size import batch_size
from daemon.asr.mlx_backend.beam_search import Beam, Found
from daemon.asr.mlx_backend.engine import Engine
from daemon.asr.mlx_backend.pressure import MemoryPressure
from daemon.asr.mlx_backend.recognizer import MlxRecognizer
from daemon.asr.mlx_backend.rows import Rows
from daemon.asr.mlx_backend.weights import load_model
from daemon.asr.mlx_backend.whisper import KeysValues
from daemon.asr.quality import BEAMS, TEMPERATURES, Decoded
from daemon.asr.recognizer import FileRequest, RecognitionOptions
from daemon.asr.vocabulary import Vocabulary
from daemon.audio import FloatArray
from daemon.domain.transcript import Recognition
from tests.kit.recognition import audio_of
from tests.kit.tiny_whisper import dimensions, write_checkpoint

_SIZE = dimensions(text_context=24, width=16)
_ROOM = 12  # tokens that a transcript may have with this text context


class CountingEngine(Engine):
    """Counts what was encoded."""

    listened = 0

    def encode(self, chunks: Sequence[FloatArray]) -> list[KeysValues]:
        self.listened += len(chunks)
        return super().encode(chunks)


@dataclass(frozen=True, slots=True)
class Piece:
    """A task: two seconds of a sample."""

    seed: int
    vocabulary: Vocabulary
    beams: int = 1
    divisible: bool = False
    plain: bool = False

    @property
    def samples(self) -> FloatArray:
        return audio_of("memo-10s")[self.seed * 16_000 :][:32_000]

    def prompt(self, detect: Callable[[], Mapping[str, float]]) -> Sequence[int]:
        del detect
        return self.vocabulary.prompt(
            "de" if self.seed % 2 else "en", "x " * (self.seed % 3), timestamps=not self.plain
        )

    def decoded(self, tokens: Sequence[int], avg_logprob: float, no_speech_prob: float) -> Decoded:
        text = self.vocabulary.decode(list(tokens))
        return Decoded(tuple(tokens), text, avg_logprob, no_speech_prob)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> CountingEngine:
    folder = tmp_path_factory.mktemp("models") / "tiny"
    return CountingEngine(load_model(write_checkpoint(folder, _SIZE)), Vocabulary(_SIZE))


def _decode(
    engine: CountingEngine,
    pieces: int,
    rows: int,
    temperatures: Sequence[float],
    pressure: MemoryPressure | None = None,
    *,
    plain: bool = False,
) -> dict[int, Decoded]:
    vocabulary = Vocabulary(_SIZE)
    waiting = [Piece(seed, vocabulary, plain=plain) for seed in range(pieces)]
    results: dict[int, Decoded] = {}

    def take(most: int) -> list[Piece]:
        taken = waiting[:most]
        del waiting[:most]
        return taken

    def give(piece: Piece, decoded: Decoded) -> None:
        assert piece.seed not in results
        results[piece.seed] = decoded

    size = BatchSize(rows=rows, encoded=min(2, rows))
    BatchDecoder[Piece](engine, vocabulary, size, temperatures, pressure).run(take, give)
    return results


@lru_cache(maxsize=2)
def _alone(engine: CountingEngine, temperatures: tuple[float, ...]) -> dict[int, Decoded]:
    return _decode(engine, 5, 1, temperatures)


@pytest.mark.parametrize(
    ("rows", "temperatures"),
    [
        pytest.param(2, (0.0,), id="greedy, 2 rows"),
        pytest.param(5, (0.0,), id="greedy, 5 rows"),
        pytest.param(3, (0.0, 0.6, 1.0), id="with retries, 3 rows"),
    ],
)
def test_tokens_do_not_depend_on_what_is_decoded_beside_them(
    engine: CountingEngine, rows: int, temperatures: tuple[float, ...]
) -> None:
    alone = _alone(engine, temperatures)
    together = _decode(engine, 5, rows, temperatures)
    assert together.keys() == alone.keys() == set(range(5))
    for seed, decoded in alone.items():
        assert together[seed].tokens == decoded.tokens
        assert together[seed].avg_logprob == pytest.approx(decoded.avg_logprob, abs=1e-3)
        assert len(decoded.tokens) <= _ROOM


def test_a_failed_row_is_tried_at_every_temperature_but_encoded_once(
    engine: CountingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[float] = []
    begin = Engine.begin

    def spy(self: Engine, *arguments: Sequence[float]) -> object:
        begun.extend(arguments[2])
        return begin(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "begin", spy)
    before = engine.listened
    _decode(engine, 1, 1, TEMPERATURES)  # random weights never give a probable text
    assert engine.listened == before + 1
    assert len(begun) > 1
    assert begun == list(TEMPERATURES[: len(begun)])


def test_what_is_not_sure_without_timestamps_is_decoded_with_them(
    engine: CountingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_timestamps = _alone(engine, (0.0,))
    ends: list[int] = []
    begin = Engine.begin

    def spy(self: Engine, *arguments: Sequence[Sequence[int]]) -> object:
        ends.extend(prompt[-1] for prompt in arguments[1])
        return begin(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Engine, "begin", spy)
    before = engine.listened
    # Random weights are never sure, so that all end with timestamps after all.
    together = _decode(engine, 5, 3, (0.0,), plain=True)
    assert {seed: found.tokens for seed, found in together.items()} == {
        seed: found.tokens for seed, found in with_timestamps.items()
    }
    assert engine.listened == before + 5
    assert ends.count(Vocabulary(_SIZE).no_timestamps) == 5
    assert len(ends) == 2 * 5, "once without, once with"


def test_what_is_in_doubt_is_searched_and_the_more_probable_is_kept(
    engine: CountingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Decoded, "good", property(lambda self: True))
    monkeypatch.setattr(Decoded, "doubtful", property(lambda self: True))
    searched: list[tuple[int, int]] = []

    def spy(
        engine: Engine, cross: object, prompts: Sequence[object], width: int, _: object
    ) -> object:
        searched.append((len(prompts), width))
        return [Found(Beam((1, 2, 3), -0.5 * number), 0.0) for number in range(len(prompts))]

    monkeypatch.setattr(batch_decoder, "search", spy)
    found = _decode(engine, 5, 5, (0.0,))
    assert sum(chunks for chunks, _ in searched) == 5
    assert {width for _, width in searched} == {BEAMS}
    assert all(decoded.tokens == (1, 2, 3) for decoded in found.values())
    monkeypatch.setattr(Decoded, "doubtful", property(lambda self: False))
    assert all(decoded.tokens != (1, 2, 3) for decoded in _decode(engine, 5, 5, (0.0,)).values())
    assert sum(chunks for chunks, _ in searched) == 5, "what is not in doubt is not searched"


def test_what_is_sure_without_timestamps_is_decoded_once(
    engine: CountingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Decoded, "sure", property(lambda self: True))
    stamp = Vocabulary(_SIZE).timestamp_begin
    alone, together = (_decode(engine, 5, rows, TEMPERATURES, plain=True) for rows in (1, 4))
    for seed, decoded in alone.items():
        assert together[seed].tokens == decoded.tokens
        assert decoded.tokens
        assert all(token < stamp for token in decoded.tokens)


def test_no_transcript_outgrows_the_text_context(engine: CountingEngine) -> None:
    longest = max(len(decoded.tokens) for decoded in _decode(engine, 3, 3, (0.0,)).values())
    assert longest == _ROOM


def test_a_loop_is_not_decoded_to_its_end(tmp_path: Path) -> None:
    size = dimensions(text_context=256, width=16)
    model = load_model(write_checkpoint(tmp_path / "babbling", size, babbling=True))
    engine = CountingEngine(model, Vocabulary(size))
    for decoded in _decode(engine, 3, 3, (0.0,)).values():
        assert decoded.repetitive
        assert len(decoded.tokens) < engine.room(8) / 2


@pytest.fixture(scope="module")
def taciturn(tmp_path_factory: pytest.TempPathFactory) -> MlxRecognizer:
    folder = tmp_path_factory.mktemp("models") / "taciturn"
    return MlxRecognizer(write_checkpoint(folder, dimensions(width=16), taciturn=True), name="tiny")


def _files(recognizer: MlxRecognizer, count: int) -> list[Recognition]:
    done: list[Recognition] = []
    audio = audio_of("memo-10s")[:48_000]
    options = RecognitionOptions(language="en")

    def file() -> FileRequest | None:
        if started[0] == count:
            return None
        started[0] += 1
        return FileRequest(
            audio, [(0.0, 3.0)], options, lambda _: None, lambda _: None, done.append
        )

    started = [0]
    recognizer.recognize_all(file)
    return done


def test_every_file_is_answered_once_when_many_share_the_batches(taciturn: MlxRecognizer) -> None:
    assert len(_files(taciturn, 11)) == 11


@pytest.mark.parametrize("files", [30, pytest.param(200, marks=pytest.mark.slow)])
def test_memory_stays_flat_over_many_files(taciturn: MlxRecognizer, files: int) -> None:
    for _ in range(10):
        _files(taciturn, 1)
    held, resident = mx.get_active_memory(), psutil.Process().memory_info().rss
    for _ in range(files - 10):
        _files(taciturn, 1)
    assert mx.get_active_memory() <= held + 100_000
    assert mx.get_cache_memory() == 0
    assert psutil.Process().memory_info().rss <= resident + 30_000_000


def test_a_batch_fits_half_of_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    large = dimensions()
    monkeypatch.setattr("daemon.asr.mlx_backend.batch_size.device_memory", lambda: 1 << 40)
    assert batch_size(large, 0, mx.float32) == BatchSize(rows=8, encoded=1)
    monkeypatch.setattr("daemon.asr.mlx_backend.batch_size.device_memory", lambda: 4 << 20)
    assert batch_size(large, 0, mx.float32) == BatchSize(rows=1, encoded=1)


def test_silence_is_no_reason_to_draw_noise(engine: CountingEngine) -> None:
    quiet = np.zeros(16_000, np.float32)
    rows = engine.begin(engine.encode([quiet]), [[50258, 50259, 50359]], [0.0], [(0, 0)])
    assert 0 <= rows.scalars["no_speech"].item() <= 1


class NarrowEngine(CountingEngine):
    """Its device has no memory for more than two rows; the error is MLX's own, on a Mac."""

    widest = 0

    def step(self, rows: Rows, *, sample: bool) -> None:
        self.widest = max(self.widest, len(rows))
        if len(rows) > 2:
            raise RuntimeError("[metal::malloc] Unable to allocate 99 bytes.")
        super().step(rows, sample=sample)


def test_a_batch_that_finds_no_memory_shrinks_and_goes_on(
    engine: CountingEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    narrow = NarrowEngine(engine._model, Vocabulary(_SIZE))
    assert _decode(narrow, 5, 5, (0.0,)) == _alone(engine, (0.0,))
    assert narrow.widest > 2
    assert "memory is short: 2 rows instead of 5" in capfd.readouterr().err


def test_what_a_smaller_batch_cannot_help_is_raised(engine: CountingEngine) -> None:
    class Broken(CountingEngine):
        def step(self, rows: Rows, *, sample: bool) -> None:
            raise RuntimeError("a defect")

    with pytest.raises(RuntimeError, match="a defect"):
        _decode(Broken(engine._model, Vocabulary(_SIZE)), 3, 3, (0.0,))


def test_a_system_that_is_short_of_memory_gets_a_smaller_batch(
    engine: CountingEngine, capfd: pytest.CaptureFixture[str]
) -> None:
    pressure = MemoryPressure(look=lambda: True)
    assert _decode(engine, 5, 4, (0.0,), pressure) == _alone(engine, (0.0,))
    assert "memory is short: 2 rows instead of 4" in capfd.readouterr().err


def test_pressure_is_looked_at_once_a_second_and_asked_for_once_in_a_while() -> None:
    times = iter([0.0, 0.0, 0.5, 1.0, 5.0, 11.0])
    answers = iter([False, True, True])
    pressure = MemoryPressure(lambda: next(answers), lambda: next(times))
    assert [pressure.asks_for_less() for _ in range(5)] == [False, False, True, False, True]
