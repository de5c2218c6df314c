"""Words that Whisper lets begin in a pause."""

from __future__ import annotations

import numpy as np

from daemon.asr.word_starts import delay_starts
from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.domain.transcript import Segment, Word, WordSource


def _sound(*spans: tuple[float, float], seconds: float = 8.0) -> FloatArray:
    """Noise in these spans, and hardly any between them."""
    samples = np.random.default_rng(2).normal(0, 1, round(seconds * SAMPLE_RATE))
    loud = np.full(len(samples), 0.001)
    for start, end in spans:
        loud[round(start * SAMPLE_RATE) : round(end * SAMPLE_RATE)] = 0.3
    return (samples * loud).astype(np.float32)


def _starts(
    samples: FloatArray, *words: tuple[str, float, float], offset: float = 0.0
) -> list[float]:
    placed = tuple(
        Word(text, start + offset, end + offset, 0.9, WordSource.ASR) for text, start, end in words
    )
    segment = Segment(0, offset, offset + 8, "", -0.1, 0.0, placed)
    (moved,) = delay_starts(samples, offset, [segment])
    assert [word.end for word in moved.words] == [word.end for word in placed]
    return [round(word.start - offset, 2) for word in moved.words]


def test_a_word_does_not_begin_in_the_pause_before_it() -> None:
    samples = _sound((0.5, 1.5), (4.0, 5.0))
    assert _starts(samples, ("once", 0.5, 1.5), ("again", 2.0, 5.0), offset=10.0) == [0.5, 3.99]


def test_a_word_is_not_said_much_more_slowly_than_its_neighbours() -> None:
    """A pause in which something else makes a noise."""
    words = [
        (word, at / 2, at / 2 + 0.5) for at, word in enumerate(("five", "said", "what", "then"))
    ]
    samples = _sound((0.0, 8.0))
    assert _starts(samples, *words, ("done", 2.0, 5.0)) == [0.0, 0.5, 1.0, 1.5, 4.4]


def test_a_word_that_begins_loud_or_is_quiet_throughout_stays() -> None:
    samples = _sound((0.0, 1.0), (1.03, 2.0))
    assert _starts(samples, ("one", 0.0, 1.0), ("two", 1.0, 2.0), ("three", 3.0, 4.0)) == [0, 1, 3]


def test_digits_take_as_long_as_the_words_they_are() -> None:
    words = [("well", at / 2, at / 2 + 0.4) for at in range(4)]
    samples = _sound((0.0, 8.0))
    assert _starts(samples, *words, ("927", 2.0, 3.2))[-1] == 2.0


def test_without_sound_nothing_moves() -> None:
    assert _starts(np.zeros(0, np.float32), ("one", 0.0, 1.0)) == [0.0]
