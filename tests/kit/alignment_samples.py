"""The samples' true segments and words, and what stock WhisperX makes of them.

The synthetic alignment model is small and real. `whisperx.align` runs as it is, but for NLTK's
sentence data, which it would download: `OneSentence` stands in for it.
"""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from difflib import SequenceMatcher
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daemon.audio import FloatArray
from daemon.domain.transcript import Segment, Word, WordSource
from tests.kit.recognition import SAMPLES

DEMO = Path(__file__).parents[1] / "models" / "align-demo"
SHORT_SAMPLES = ("memo-10s", "meeting-60s", "german-20s", "french-20s", "spanish-20s")


@cache
def truth(name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((SAMPLES / f"{name}.truth.json").read_text("utf-8"))
    return data


def segment(text: str, start: float = 0.0, end: float = 1.0, number: int = 0) -> Segment:
    return Segment(number, start, end, text, avg_logprob=0.0, no_speech_prob=0.0)


def sentences(name: str) -> list[Segment]:
    """A sample's sentences, as a recogniser without faults would cut it."""
    return [
        segment(sentence["text"], sentence["start"], sentence["end"], number)
        for number, sentence in enumerate(truth(name)["sentences"])
    ]


def merged(segments: list[Segment], seconds: float = 25.0) -> list[Segment]:
    """Neighbours joined up to `seconds`, pauses included: as long as Whisper's longest."""
    joined: list[Segment] = []
    for following in segments:
        if joined and following.end - joined[-1].start <= seconds:
            text = f"{joined[-1].text} {following.text}"
            joined[-1] = replace(joined[-1], end=following.end, text=text)
        else:
            joined.append(replace(following, id=len(joined)))
    return joined


class OneSentence:
    """A sentence tokenizer in NLTK's protocol, to which every text is one sentence.

    WhisperX cuts segments into sentences to split its output; word times do not depend on it.
    """

    def span_tokenize(self, text: str) -> Iterator[tuple[int, int]]:
        yield 0, len(text)


@cache
def whisperx_alignment() -> ModuleType:
    """WhisperX's module, kept from the network; importing it takes ten seconds, once."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies' deprecations
        import whisperx.alignment as module  # noqa: PLC0415
    module.nltk_load = lambda resource: OneSentence()
    loaded: ModuleType = module
    return loaded


@cache
def _whisperx_model(language: str) -> tuple[Any, dict[str, Any]]:
    model, metadata = whisperx_alignment().load_align_model(language, "cpu", model_name=str(DEMO))
    return model, metadata


def whisperx_words(
    audio: FloatArray, segments: list[Segment], language: str
) -> list[dict[str, Any]]:
    """The word segments of stock `whisperx.align` with the synthetic model."""
    module = whisperx_alignment()
    model, metadata = _whisperx_model(language)
    transcript = [
        {"start": segment.start, "end": segment.end, "text": segment.text} for segment in segments
    ]
    words: list[dict[str, Any]] = module.align(transcript, model, metadata, audio, "cpu")[
        "word_segments"
    ]
    return words


def start_errors(words: list[Word], name: str) -> NDArray[np.float64]:
    """|start - true start| in seconds of the aligned words that the truth times on their own."""
    true = truth(name)["words"]
    said, spoken = [_plain(word.word) for word in words], [_plain(word["word"]) for word in true]
    blocks = SequenceMatcher(None, said, spoken, autojunk=False).get_matching_blocks()
    pairs = [(words[a + i], true[b + i]) for a, b, size in blocks for i in range(size)]
    return np.array(
        [
            abs(word.start - real["start"])
            for word, real in pairs
            if word.source is WordSource.ALIGNED
        ]
    )


def _plain(word: str) -> str:
    return re.sub(r"[^\w']", "", word.lower())
