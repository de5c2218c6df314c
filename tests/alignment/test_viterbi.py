"""The oracle is WhisperX's own get_trellis, backtrack and merge_repeats."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.alignment.viterbi import Path, Spelling, best_paths
from tests.kit.alignment_samples import whisperx_alignment

CLASSES = 6
BLANK = 0


@st.composite
def spellings(draw: st.DrawFn) -> Spelling:
    """Random emissions, from nearly flat to nearly certain, some full of ties."""
    frames = draw(st.integers(1, 40))
    characters = draw(st.integers(1, 30))
    sharpness = draw(st.sampled_from([0.01, 1.0, 10.0]))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    logits = random.normal(scale=sharpness, size=(frames, CLASSES))
    if draw(st.booleans()):
        logits = np.round(logits)
    emission = torch.log_softmax(torch.tensor(logits, dtype=torch.float32), dim=-1).numpy()
    return Spelling(emission, random.integers(0, CLASSES, size=characters))


def whisperx_path(spelling: Spelling) -> Path | None:
    whisperx = whisperx_alignment()
    emission, tokens = torch.from_numpy(spelling.emission), spelling.tokens.tolist()
    trellis = whisperx.get_trellis(emission, tokens, BLANK)
    points = whisperx.backtrack(trellis, emission, tokens, BLANK)
    if points is None:
        return None
    spans = whisperx.merge_repeats(points, "x" * len(tokens))
    assert [span.end for span in spans[:-1]] == [span.start for span in spans[1:]]
    return Path(
        np.array([span.start for span in spans]),
        spans[-1].end,
        np.array([span.score for span in spans]),
    )


@given(st.lists(spellings(), min_size=1, max_size=4))
@settings(max_examples=150, deadline=None)
def test_paths_are_whisperx_paths_frame_for_frame(batch: list[Spelling]) -> None:
    for found, expected in zip(best_paths(batch, BLANK), map(whisperx_path, batch), strict=True):
        assert (found is None) == (expected is None)
        if found is not None and expected is not None:
            assert found.starts.tolist() == expected.starts.tolist()
            assert found.end == expected.end
            np.testing.assert_allclose(found.scores, expected.scores, atol=1e-6)


def test_more_characters_than_frames_have_no_path() -> None:
    emission = np.log(np.full((2, CLASSES), 1 / CLASSES, np.float32))
    assert best_paths([Spelling(emission, np.array([1, 2, 3]))], BLANK) == [None]


def test_as_many_characters_as_frames_take_one_frame_each() -> None:
    emission = np.log(np.full((3, CLASSES), 1 / CLASSES, np.float32))
    [path] = best_paths([Spelling(emission, np.array([1, 2, 3]))], BLANK)
    assert path is not None
    assert (path.starts.tolist(), path.end) == ([0, 1, 2], 3)
    assert path.scores == pytest.approx(1 / CLASSES)


def test_a_network_that_answers_nan_gives_no_path_and_no_error() -> None:
    emission = np.full((10, CLASSES), np.nan, np.float32)
    assert best_paths([Spelling(emission, np.array([1, 2]))], BLANK) == [None]


def test_no_spellings_have_no_paths() -> None:
    assert best_paths([], BLANK) == []
