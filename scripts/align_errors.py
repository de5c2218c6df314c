"""How exact word starts are on the samples: the aligner's, whisperx.align's, and Whisper's own.

Run from the repository's root: python -m scripts.align_errors
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean

import numpy as np

from daemon.alignment.aligner import Aligner
from daemon.asr.ctranslate2_backend.conversion import converted
from daemon.asr.ctranslate2_backend.recognizer import CTranslate2Recognizer
from daemon.asr.word_times import add_words
from daemon.domain.transcript import Word
from tests.kit import accuracy
from tests.kit.alignment_samples import (
    DEMO,
    SHORT_SAMPLES,
    sentences,
    start_errors,
    truth,
    whisperx_words,
)
from tests.kit.recognition import DEMO as WHISPER
from tests.kit.recognition import audio_of


def print_errors(names: Sequence[str]) -> None:
    """Start errors of aligned words against the truth, ours beside WhisperX's, in milliseconds."""
    aligner = Aligner.load("en", str(DEMO), "cpu")
    print("sample          words  ours: mean   p95  whisperx: mean   p95  farthest apart")
    for name in names:
        audio, segments = audio_of(name), sentences(name)
        ours = [word for one in aligner.align(audio, segments) for word in one.words]
        theirs = [
            Word(other["word"], other["start"], other["end"], other["score"], word.source)
            for word, other in zip(
                ours, whisperx_words(audio, segments, truth(name)["language"]), strict=True
            )
        ]
        apart = max(abs(a.start - b.start) for a, b in zip(ours, theirs, strict=True))
        cells = [f"{1000 * x:6.1f}" for words in (ours, theirs) for x in _errors(words, name)]
        print(
            f"{name:15} {len(ours):5}      {cells[0]}{cells[1]}          {cells[2]}{cells[3]}"
            f"  {1000 * apart:6.1f}"
        )


def print_own_errors(names: Sequence[str]) -> None:
    """Start errors of Whisper's own word times (align.fallback = "asr") through CTranslate2."""
    with tempfile.TemporaryDirectory() as folder:
        listener = CTranslate2Recognizer(converted(WHISPER, Path(folder)), name="demo").listener()
    print("\nsample          words  Whisper's own: mean   p95")
    for name in names:
        timed = add_words(audio_of(name), truth(name)["language"], sentences(name), listener)
        words = [asdict(word) for segment in timed for word in segment.words]
        errors = [1000 * error for error in accuracy.start_errors(words, name)]
        p95 = accuracy.percentile(errors, 0.95)
        print(f"{name:15} {len(words):5}             {fmean(errors):6.1f}{p95:6.1f}")


def _errors(words: list[Word], name: str) -> tuple[float, float]:
    errors = start_errors(words, name)
    return float(errors.mean()), float(np.percentile(errors, 95))


if __name__ == "__main__":
    print_errors((*SHORT_SAMPLES, "lecture-12min"))
    print_own_errors((*SHORT_SAMPLES, "lecture-12min"))
