"""Silero VAD v6: the spans of a recording in which somebody speaks, by a small network in ONNX.

The network is converted by scripts/convert_speech_model.py. The rules by which probabilities become
spans are those of Silero's `get_speech_timestamps` (MIT; github.com/snakers4/silero-vad).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import onnxruntime

from daemon.audio import FloatArray
from daemon.models import checksums

NETWORK = Path(__file__).parents[1] / "bundled" / "speech" / "silero.onnx"

_FRAME = 512  # samples, 32 ms: each has a probability
_BEFORE = 64  # samples before a frame that the network sees, too
_AT_ONCE = 128  # frames a call: what they need stays in the processor's cache
_MEMORY = (1, 1, 128)  # the shape of either part of what the network remembers

_Span = tuple[int, int]  # samples


@dataclass(frozen=True, slots=True)
class Rules:
    """From which probability on speech begins, below which it ends; the rest in samples."""

    threshold: float
    end_threshold: float
    min_speech: int
    min_silence: int  # within speech; anything longer parts two spans
    padding: int  # on either side of a span


class Silero:
    """The network. It computes in the thread that calls it; any number of threads may."""

    def __init__(self, network: Path = NETWORK) -> None:
        """Raises TamperedModelError if the network is not the bundled one."""
        checksums.verify(network)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.enable_cpu_mem_arena = False
        options.log_severity_level = 4
        self._session = onnxruntime.InferenceSession(
            str(network), options, providers=["CPUExecutionProvider"]
        )

    def spans(self, audio: FloatArray, rules: Rules) -> list[_Span]:
        """Where `audio` (16 kHz, mono) holds speech, in order, none of them overlapping."""
        spoken = list(_spoken(self.probabilities(audio).tolist(), rules, len(audio)))
        return _padded(spoken, rules.padding, len(audio))

    def probabilities(self, audio: FloatArray) -> FloatArray:
        """Of speech in each frame of 512 samples, the incomplete last one included."""
        count = len(audio) // _FRAME + 1
        found = np.empty(count, np.float32)
        h, c = np.zeros(_MEMORY, np.float32), np.zeros(_MEMORY, np.float32)
        for first in range(0, count, _AT_ONCE):
            last = min(first + _AT_ONCE, count)
            given = {"input": _frames(audio, first, last), "h": h, "c": c}
            found[first:last], h, c = self._session.run(None, given)
        return found


def _frames(audio: FloatArray, first: int, last: int) -> FloatArray:
    """Frames with what comes before each, shape (last - first, 576); zeros beyond the audio."""
    start, end = first * _FRAME - _BEFORE, last * _FRAME
    part = audio[max(start, 0) : end]
    before = max(-start, 0)
    whole = np.zeros(end - start, np.float32)
    whole[before : before + len(part)] = part
    windows = np.lib.stride_tricks.sliding_window_view(whole, _BEFORE + _FRAME)[::_FRAME]
    return np.ascontiguousarray(windows)


def _spoken(probabilities: Iterable[float], rules: Rules, length: int) -> Iterator[_Span]:
    """Speech ends where it is followed by enough moments that do not sound like it."""
    start: int | None = None
    end: int | None = None  # where it may have ended
    for index, probability in enumerate(probabilities):
        moment = index * _FRAME
        if probability >= rules.threshold:
            end = None
            if start is None:
                start = moment
        elif probability < rules.end_threshold and start is not None:
            if end is None:
                end = moment
            if moment - end >= rules.min_silence:
                if end - start > rules.min_speech:
                    yield start, end
                start = end = None
    if start is not None and length - start > rules.min_speech:
        yield start, length


def _padded(spans: list[_Span], padding: int, length: int) -> list[_Span]:
    """Where two are near, each gets half of what lies between."""
    halves = ((start - end) // 2 for (_, end), (start, _) in pairwise(spans))
    room = [padding, *(min(half, padding) for half in halves), padding]
    return [
        (max(0, start - before), min(length, end + after))
        for (start, end), (before, after) in zip(spans, pairwise(room), strict=False)
    ]
