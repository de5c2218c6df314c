"""The oracles are stock `whisperx.align` and the samples' true word times."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from daemon.alignment.aligner import AlignedSegment, Aligner
from daemon.alignment.batches import BATCH_SECONDS, batches
from daemon.alignment.model import load_align_model
from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.domain.transcript import Segment, Word, WordSource
from tests.kit.alignment_samples import (
    DEMO,
    SHORT_SAMPLES,
    merged,
    segment,
    sentences,
    start_errors,
    truth,
    whisperx_words,
)
from tests.kit.recognition import audio_of

FRAME = 0.02  # seconds


@pytest.fixture(scope="module")
def aligner() -> Aligner:
    return Aligner.load("en", str(DEMO), "cpu")


@pytest.fixture(scope="module")
def literal() -> Aligner:
    """As WhisperX: it does not know how numbers are said."""
    model = load_align_model("en", str(DEMO))
    return Aligner(replace(model, alphabet=replace(model.alphabet, language="")))


def words_in(results: list[AlignedSegment]) -> list[Word]:
    return [word for result in results for word in result.words]


def check_against_whisperx(
    results: list[AlignedSegment], audio: FloatArray, segments: list[Segment], language: str
) -> None:
    expected = whisperx_words(audio, segments, language)
    words = words_in(results)
    assert [word.word for word in words] == [word["word"] for word in expected]
    for word, other in zip(words, expected, strict=True):
        assert abs(word.start - other["start"]) <= FRAME, word
        assert abs(word.end - other["end"]) <= FRAME, word
        if word.source is WordSource.ALIGNED:
            assert abs(word.score - other["score"]) <= 0.01, word


def check_order(results: list[AlignedSegment], segments: list[Segment], seconds: float) -> None:
    """Times are monotonic, inside their segment, and inside the recording."""
    for result, whole in zip(results, segments, strict=True):
        times = [time for word in result.words for time in (word.start, word.end)]
        assert times == sorted(times)
        assert not times or whole.start <= times[0] <= times[-1] <= min(whole.end, seconds) + 5e-4


@pytest.mark.parametrize("name", SHORT_SAMPLES)
@pytest.mark.parametrize("cut", [list, merged], ids=["sentences", "merged"])
def test_words_are_whisperx_words(
    literal: Aligner, name: str, cut: Callable[[list[Segment]], list[Segment]]
) -> None:
    audio, segments = audio_of(name), cut(sentences(name))
    results = literal.align(audio, segments)
    assert [result.reason for result in results] == [""] * len(segments)
    check_against_whisperx(results, audio, segments, truth(name)["language"])
    check_order(results, segments, len(audio) / SAMPLE_RATE)


@pytest.mark.parametrize("name", SHORT_SAMPLES)
def test_words_start_when_they_were_said(aligner: Aligner, name: str) -> None:
    errors = start_errors(words_in(aligner.align(audio_of(name), sentences(name))), name)
    assert len(errors) > 0.9 * len(truth(name)["words"])
    assert errors.mean() <= 0.010
    assert np.percentile(errors, 95) <= 0.025


@pytest.mark.slow
def test_a_lecture_of_twelve_minutes_holds_the_same_promises(literal: Aligner) -> None:
    name = "lecture-12min"
    audio, segments = audio_of(name), sentences(name)
    results = literal.align(audio, segments)
    check_against_whisperx(results, audio, segments, "en")
    check_order(results, segments, len(audio) / SAMPLE_RATE)
    errors = start_errors(words_in(results), name)
    assert len(errors) > 0.9 * len(truth(name)["words"])
    assert errors.mean() <= 0.010
    assert np.percentile(errors, 95) <= 0.025


def test_numbers_are_listened_for_as_they_are_said(aligner: Aligner, literal: Aligner) -> None:
    audio, segments = audio_of("meeting-60s"), sentences("meeting-60s")
    numbers = ["12.", "45", "24", "9", "7"]
    guessed = words_in(literal.align(audio, segments))
    assert [word.word for word in guessed if word.source is WordSource.INTERPOLATED] == numbers
    words = words_in(aligner.align(audio, segments))
    assert {word.source for word in words} == {WordSource.ALIGNED}
    said = {word.word.strip("."): word.start for word in words}
    true = {word["word"]: word["start"] for word in truth("meeting-60s")["words"]}
    errors = [abs(said[number] - true[number]) for number in ("12", "45", "24", "9", "7")]
    assert max(errors) <= 0.040


def test_segments_may_come_in_as_many_calls_as_one_likes(aligner: Aligner) -> None:
    audio, segments = audio_of("meeting-60s"), sentences("meeting-60s")
    whole = aligner.align(audio, segments)
    one_by_one = [result for one in segments for result in aligner.align(audio, [one])]
    for together, alone in zip(words_in(whole), words_in(one_by_one), strict=True):
        assert (together.word, together.start, together.end) == (alone.word, alone.start, alone.end)
        assert together.score == pytest.approx(alone.score, abs=0.002)


def test_each_result_is_handed_over_in_order(aligner: Aligner) -> None:
    seen: list[AlignedSegment] = []
    segments = [*sentences("memo-10s"), segment("", number=99)]
    results = aligner.align(audio_of("memo-10s"), segments, seen.append)
    assert seen == results
    assert [result.id for result in seen] == [whole.id for whole in segments]


@pytest.mark.parametrize(
    "text",
    ["🎉🎉", "1984", "€ 5 – 7", "שלום עולם", "two\nlines", "İ", "a\u0301", "|", "\x00", "x" * 40],
)
def test_every_word_of_odd_text_gets_times(aligner: Aligner, text: str) -> None:
    [result] = aligner.align(audio_of("memo-10s"), [segment(text, 1.0, 4.0)])
    assert [word.word for word in result.words] == text.split()
    assert result.reason == ""
    check_order([result], [segment(text, 1.0, 4.0)], 10)


@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_a_segment_without_text_has_a_reason_and_no_words(aligner: Aligner, text: str) -> None:
    assert aligner.align(audio_of("memo-10s"), [segment(text)]) == [
        AlignedSegment(0, (), "it has no text")
    ]


def test_text_that_cannot_be_said_in_its_time_has_a_reason(aligner: Aligner) -> None:
    [result] = aligner.align(audio_of("memo-10s"), [segment("word " * 1000, 1.0, 2.0)])
    assert result == AlignedSegment(0, (), "its 4999 characters do not fit into its 49 frames")


@pytest.mark.parametrize(
    ("start", "end"),
    [(3, 3), (4, 3), (500, 501), (-2, -1), (math.nan, 1), (0, math.nan), (math.inf, math.inf)],
)
def test_a_segment_without_audio_has_a_reason(aligner: Aligner, start: float, end: float) -> None:
    [result] = aligner.align(audio_of("memo-10s"), [segment("word", start, end)])
    assert result.words == ()
    assert result.reason == "it has no audio: it is empty or outside the recording"


def test_a_segment_that_outlives_the_recording_is_aligned_inside_it(aligner: Aligner) -> None:
    audio = audio_of("memo-10s")
    last = sentences("memo-10s")[-1]
    [expected] = aligner.align(audio, [segment(last.text, last.start, len(audio) / SAMPLE_RATE)])
    [found] = aligner.align(audio, [segment(last.text, last.start, 1e6)])
    assert found.words == expected.words


@pytest.mark.parametrize("seconds", [0.0001, 0.01, 0.03])
def test_a_segment_shorter_than_a_frame_is_no_error(aligner: Aligner, seconds: float) -> None:
    [result] = aligner.align(audio_of("memo-10s"), [segment("a", 1.0, 1.0 + seconds)])
    assert [word.word for word in result.words] == ["a"]


def test_silence_is_aligned_without_an_error(aligner: Aligner) -> None:
    [result] = aligner.align(np.zeros(SAMPLE_RATE, np.float32), [segment("not a word")])
    assert len(result.words) == 3


def test_no_segments_have_no_words(aligner: Aligner) -> None:
    assert aligner.align(audio_of("memo-10s"), []) == []


def test_japanese_gets_a_word_for_each_character() -> None:
    japanese = Aligner.load("ja", str(DEMO), "cpu")
    [result] = japanese.align(audio_of("memo-10s"), [segment("ab です", 0, 3)])
    assert [word.word for word in result.words] == ["a", "b", "で", "す"]


def test_batches_keep_the_order_and_their_limit() -> None:
    segments = [segment("a", start, start + 7) for start in range(0, 70, 7)]
    segments.insert(3, segment("long", 0, 50))
    found = list(batches(segments, BATCH_SECONDS))
    assert [one for batch in found for one in batch] == segments
    assert [len(batch) for batch in found] == [3, 1, 4, 3]
    assert all(sum(s.end - s.start for s in batch) <= BATCH_SECONDS for batch in found if batch[1:])
