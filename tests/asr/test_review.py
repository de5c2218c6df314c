"""What in a transcript is doubted: daemon.asr.review."""

from __future__ import annotations

import numpy as np

from daemon.asr.review import review
from daemon.audio import FloatArray
from daemon.domain.transcript import Doubt, Recognition, Segment

SILENCE: FloatArray = np.zeros(20 * 16_000, np.float32)
SOUND: FloatArray = np.random.default_rng(1).normal(0, 0.1, 20 * 16_000).astype(np.float32)


def _segment(start: float, end: float, logprob: float = -0.2) -> Segment:
    return Segment(0, start, end, "Well.", logprob, 0.0)


def _recognition(
    *segments: Segment, probability: float = 0.99, check: tuple[Doubt, ...] = ()
) -> Recognition:
    return Recognition(
        "de", probability, segments, "mlx", "cpu", "base", "bundled", {}, check=check
    )


def test_where_all_is_well_nothing_is_said() -> None:
    said = _recognition(_segment(0, 8), _segment(8.5, 15))
    assert review(said, [(0.2, 8.1), (8.4, 14.8)], SOUND) == ((), ())


def test_sound_without_text_is_told_and_silence_is_not() -> None:
    assert review(_recognition(), (), SILENCE) == ((), ())
    warnings, check = review(_recognition(), (), SOUND)
    assert warnings == ("there is sound, but no speech that could be made out",)
    assert check == ()


def test_speech_that_no_segment_covers_is_told_in_seconds_and_by_place() -> None:
    speech = [(0.0, 2.0), (4.0, 10.0), (12.0, 13.5)]
    warnings, check = review(_recognition(_segment(0, 2), _segment(6, 8)), speech, SOUND)
    assert warnings == ("6 s of speech were detected for which there is no text",)
    assert [(doubt.start, doubt.end) for doubt in check] == [(4.0, 6.0), (8.0, 10.0), (12.0, 13.5)]
    assert {doubt.reason for doubt in check} == {"speech without text"}


def test_a_little_speech_without_text_is_in_the_list_only() -> None:
    warnings, check = review(_recognition(_segment(0, 2)), [(0, 2), (4, 5.5)], SOUND)
    assert warnings == ()
    assert check == (Doubt(4, 5.5, "speech without text"),)


def test_guesses_are_told_the_worst_first() -> None:
    said = _recognition(_segment(0, 2, -0.9), _segment(2, 9, -1.4), _segment(9, 12))
    warnings, check = review(said, [(0, 12)], SOUND)
    assert warnings == ("2 of 3 segments are little more than guesses",)
    assert [(doubt.start, doubt.reason) for doubt in check] == [
        (2, "improbable words"),
        (0, "improbable words"),
    ]


def test_an_uncertain_language_is_told() -> None:
    warnings, _ = review(_recognition(_segment(0, 2), probability=0.2), [(0, 2)], SOUND)
    assert warnings == ("the language is uncertain: de, at 20%",)


def test_words_that_were_left_out_are_told_with_their_place() -> None:
    left_out = Doubt(7.96, 8.0, "left out: 61 characters cannot be said in 0.04 s")
    warnings, check = review(_recognition(_segment(0, 7), check=(left_out,)), [(0, 7)], SOUND)
    assert warnings == ("at 8.0 s: left out: 61 characters cannot be said in 0.04 s",)
    assert check == (left_out,)
