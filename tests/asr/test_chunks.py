"""Cut and merge."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.asr.chunks import WINDOW, Chunk, cut_chunks
from daemon.audio import SAMPLE_RATE, Span


def _noise(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    samples = round(seconds * SAMPLE_RATE)
    return np.random.default_rng(1).normal(0, 0.1, samples).astype(np.float32)


_SPANS = st.lists(st.tuples(st.floats(0.0, 5.0), st.floats(0.1, 70.0)), min_size=0, max_size=8)


@settings(max_examples=60, deadline=None)
@given(_SPANS)
def test_all_speech_is_in_chunks_that_fit_the_window(pauses_and_lengths: list[Span]) -> None:
    spans: list[Span] = []
    now = 0.0
    for pause, length in pauses_and_lengths:
        spans.append((now + pause, now + pause + length))
        now = spans[-1][1]
    chunks = cut_chunks(_noise(now), spans)
    assert all(chunk.end - chunk.start <= WINDOW + 1e-6 for chunk in chunks)
    assert all(first.end <= second.start for first, second in pairwise(chunks))
    covered = sum(end - start for chunk in chunks for start, end in chunk.speech)
    assert abs(covered - sum(end - start for start, end in spans)) < 0.01


def test_neighbours_share_a_chunk_as_long_as_it_fits() -> None:
    chunks = cut_chunks(_noise(60), [(1, 10), (11, 29), (30, 45), (46, 59)])
    assert [(chunk.start, chunk.end) for chunk in chunks] == [(0.7, 29.3), (29.7, 59.3)]


def test_a_long_pause_ends_a_chunk() -> None:
    chunks = cut_chunks(_noise(60), [(1, 10), (12, 20)])
    assert [(chunk.start, chunk.end) for chunk in chunks] == [(0.7, 10.3), (11.7, 20.3)]
    (whole,) = cut_chunks(_noise(60), [(1, 2), (4, 20)])
    assert whole.speech == ((1, 2), (4, 20)), "a word alone is easily misheard"


def test_a_span_longer_than_the_window_is_cut_where_it_is_quiet() -> None:
    audio = _noise(50)
    audio[20 * SAMPLE_RATE : 21 * SAMPLE_RATE] = 0
    first, second = cut_chunks(audio, [(0, 50)])
    assert 20 < first.end < 21
    assert second.start == first.end


def test_two_chunks_share_a_short_pause() -> None:
    first, second = cut_chunks(_noise(60), [(1, 20), (20.4, 45)])
    assert (first.end, second.start) == (20.2, 20.2)


def test_halves_of_speech_without_a_pause_are_cut_where_it_is_quiet() -> None:
    audio = _noise(50)
    audio[17 * SAMPLE_RATE : 18 * SAMPLE_RATE] = 0
    halves = Chunk(0, 30, ((0, 30),)).halves(audio)
    assert halves is not None
    assert 17 < halves[0].end == halves[1].start < 18
    assert Chunk(0, 30, ((0, 5),)).halves(audio) is None, "it is short"


@pytest.mark.parametrize(
    ("speech", "continuous"),
    [
        pytest.param(((0, 9),), True, id="one breath"),
        pytest.param(((0, 4), (4.3, 9)), True, id="a comma"),
        pytest.param(((0, 4), (5, 9)), False, id="a pause"),
        pytest.param(((0, 25),), False, id="many sentences"),
    ],
)
def test_what_is_said_in_one_breath(speech: tuple[Span, ...], continuous: bool) -> None:
    assert Chunk(0, 30, speech).continuous is continuous


def test_speech_beyond_the_recording_is_cut_off() -> None:
    assert cut_chunks(_noise(5), [(4, 9), (10, 12)]) == [Chunk(3.7, 5, ((4, 5),))]


def test_no_speech_makes_no_chunks() -> None:
    assert cut_chunks(_noise(5), []) == []


def test_the_rest_of_a_chunk_begins_with_speech() -> None:
    chunk = Chunk(10, 30, ((10, 14), (16, 20), (25, 30)))
    assert chunk.rest(15) == Chunk(15.7, 30, ((16, 20), (25, 30)))
    assert chunk.rest(18) == Chunk(18, 30, ((18, 20), (25, 30)))
    assert chunk.rest(15.9) == Chunk(15.9, 30, ((16, 20), (25, 30)))
    assert chunk.rest(30) is None
