"""daemon.asr.ctranslate2_backend.recognizer on the bundled model and the sample recordings."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from daemon.asr.ctranslate2_backend import recognizer as module
from daemon.asr.ctranslate2_backend.batch_decoder import Batch, FileDecoder
from daemon.asr.ctranslate2_backend.conversion import converted
from daemon.asr.ctranslate2_backend.recognizer import CTranslate2Recognizer
from daemon.asr.quality import Decoded
from daemon.asr.recognizer import FileRequest, RecognitionOptions
from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.domain.transcript import Recognition, Segment
from daemon.errors import UsageError
from daemon.models.registry import BUNDLED
from tests.kit.recognition import (
    DEMO,
    SILENCE,
    audio_of,
    decoded_file,
    speech_in,
    word_errors,
)


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory: pytest.TempPathFactory) -> CTranslate2Recognizer:
    model: Path = converted(DEMO, tmp_path_factory.mktemp("models"))
    return CTranslate2Recognizer(model, name="demo", threads=2)


def transcribe(
    recognizer: CTranslate2Recognizer,
    name: str,
    options: RecognitionOptions | None = None,
    on_segment: Callable[[Segment], None] = lambda _: None,
) -> Recognition:
    """What it makes of a sample."""
    audio, speech = audio_of(name), speech_in(name)
    return recognizer.recognize(
        audio, speech, options or RecognitionOptions(), lambda _: None, on_segment
    )


@pytest.mark.parametrize(
    ("sample", "language"),
    [("memo-10s", "en"), ("german-20s", "de"), ("french-20s", "fr"), ("spanish-20s", "es")],
)
def test_every_language_is_heard_and_written(
    recognizer: CTranslate2Recognizer, sample: str, language: str
) -> None:
    said = transcribe(recognizer, sample)
    assert said.language == language
    assert word_errors(said.segments, sample) == 0


def test_segments_come_in_order_and_none_is_empty(recognizer: CTranslate2Recognizer) -> None:
    heard: list[Segment] = []
    said = transcribe(recognizer, "meeting-60s", on_segment=heard.append)
    assert tuple(heard) == said.segments
    assert all(segment.end > segment.start for segment in heard)
    assert all(first.end <= second.start + 1e-6 for first, second in pairwise(heard))


def test_the_language_is_chosen_among_those_allowed(recognizer: CTranslate2Recognizer) -> None:
    options = RecognitionOptions(languages=("fr", "es"))
    assert transcribe(recognizer, "german-20s", options).language in options.languages


def test_a_given_language_is_not_doubted(recognizer: CTranslate2Recognizer) -> None:
    said = transcribe(recognizer, "memo-10s", RecognitionOptions(language="en"))
    assert (said.language, said.language_probability) == ("en", 1.0)


def test_the_words_are_right_with_beams_as_well(recognizer: CTranslate2Recognizer) -> None:
    said = transcribe(recognizer, "memo-10s", RecognitionOptions(beam_size=5))
    assert word_errors(said.segments, "memo-10s") == 0


@pytest.mark.parametrize("language", ["tlh", "yue"])  # nobody's, and one of larger models
def test_an_unknown_language_is_refused(recognizer: CTranslate2Recognizer, language: str) -> None:
    with pytest.raises(UsageError, match=f"'{language}'"):
        transcribe(recognizer, "memo-10s", RecognitionOptions(language=language))


def test_a_recording_without_speech_has_no_segments(recognizer: CTranslate2Recognizer) -> None:
    said = recognizer.recognize(SILENCE, (), RecognitionOptions(), lambda _: None, lambda _: None)
    assert said.segments == ()


def test_the_same_recording_has_the_same_words_again(recognizer: CTranslate2Recognizer) -> None:
    """What is no speech fails every attempt: none of them may draw at random."""
    noise = np.random.default_rng(3).normal(0, 0.05, 5 * 16_000).astype(np.float32)
    options = RecognitionOptions(language="en")
    once, again = (
        recognizer.recognize(noise, [(0, 5)], options, lambda _: None, lambda _: None).segments
        for _ in range(2)
    )
    assert once == again


@pytest.mark.slow
def test_what_is_said_in_one_breath_is_not_misheard(tmp_path: Path) -> None:
    """With timestamps the bundled model hears "wood blocks and graved in relief"."""
    real = CTranslate2Recognizer(converted(BUNDLED / "whisper-base", tmp_path), name="base")
    audio = decoded_file(BUNDLED / "audio" / "LJ001-0003.flac")
    speech = [(0.0, len(audio) / SAMPLE_RATE)]
    said = real.recognize(audio, speech, RecognitionOptions(), lambda _: None, lambda _: None)
    (segment,) = said.segments
    assert "wood blocks engraved in relief" in segment.text


@pytest.mark.slow
def test_only_what_is_not_sure_is_searched_with_beams(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = CTranslate2Recognizer(converted(BUNDLED / "whisper-base", tmp_path), name="base")
    clean = decoded_file(BUNDLED / "audio" / "libri2412_0.flac")
    noise = np.random.default_rng(5).normal(0, 1.5 * clean.std(), len(clean)).astype(np.float32)
    attempt, beams = FileDecoder._attempt, set[int]()

    def spy(
        decoder: FileDecoder, batch: Batch, prompts: list[list[int]], rows: list[int], beam: int
    ) -> list[tuple[int, Decoded]]:
        beams.update([beam] if rows else [])
        return attempt(decoder, batch, prompts, rows, beam)

    def searched(audio: FloatArray) -> set[int]:
        beams.clear()
        speech, options = [(0.0, len(audio) / SAMPLE_RATE)], RecognitionOptions()
        assert real.recognize(audio, speech, options, lambda _: None, lambda _: None).segments
        return set(beams)

    monkeypatch.setattr(FileDecoder, "_attempt", spy)
    assert searched(clean) == {1}
    assert searched(clean + noise) == {1, 5}


def test_what_is_decoded_beside_it_changes_no_chunk(
    recognizer: CTranslate2Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches under way at once are the same as one chunk after another."""
    beside = transcribe(recognizer, "meeting-60s")
    monkeypatch.setattr(module, "_AT_ONCE", 1)
    monkeypatch.setattr(module, "_batch_size", lambda *_: 1)
    assert transcribe(recognizer, "meeting-60s") == beside


def test_what_fails_ends_the_run_with_its_own_error(
    recognizer: CTranslate2Recognizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no memory for this batch")

    monkeypatch.setattr(FileDecoder, "decode", fail)
    with pytest.raises(RuntimeError, match="no memory"):
        transcribe(recognizer, "meeting-60s")


def test_a_memo_that_comes_amid_a_long_file_is_done_first(
    recognizer: CTranslate2Recognizer,
) -> None:
    done: list[str] = []
    begun: list[str] = []  # the memo comes when the first batch of the meetings is decoded
    memo, meeting = audio_of("memo-10s"), audio_of("meeting-60s")
    speech = [
        (start + 60 * number, end + 60 * number)
        for number in range(3)
        for start, end in speech_in("meeting-60s")
    ]

    def ignore(_: object) -> None: ...

    def finished(said: Recognition) -> None:
        done.append("memo")
        assert word_errors(said.segments, "memo-10s") == 0

    meetings = np.concatenate([meeting[: 60 * SAMPLE_RATE]] * 3)
    options = RecognitionOptions()
    long = FileRequest(
        meetings, speech, options, begun.append, ignore, lambda _: done.append("meetings")
    )
    short = FileRequest(memo, speech_in("memo-10s"), options, ignore, ignore, finished)
    waiting = [short, long]

    def next_file() -> FileRequest | None:
        return waiting.pop() if len(waiting) == 2 or (waiting and begun) else None

    recognizer.recognize_all(next_file)
    assert done == ["memo", "meetings"]
