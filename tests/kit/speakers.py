"""Real voices, who really speaks when, and how many errors an answer holds."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from av.audio.resampler import AudioResampler
from scipy.optimize import linear_sum_assignment

from daemon.audio import SAMPLE_RATE, FloatArray

FOLDER = Path(__file__).parents[1] / "audio" / "speakers"
_STEP = 100  # grid points a second

Spoken = tuple[float, float, str]  # start, end (seconds), speaker


def samples(path: Path) -> FloatArray:
    """A recording as 16 kHz mono."""
    resampler = AudioResampler("flt", "mono", SAMPLE_RATE)
    with av.open(path) as container:
        frames = [part for frame in container.decode(audio=0) for part in resampler.resample(frame)]
    arrays = [frame.to_ndarray()[0] for frame in [*frames, *resampler.resample(None)]]
    return np.concatenate(arrays).astype(np.float32)


def truth(path: Path, name: str) -> list[Spoken]:
    """The turns of one recording in an RTTM file."""
    rows = [line.split() for line in path.read_text().splitlines()]
    return [
        (float(row[3]), float(row[3]) + float(row[4]), row[7]) for row in rows if row[1] == name
    ]


def errors(
    expected: Sequence[Spoken], found: Sequence[Spoken], seconds: float, collar: float = 0.25
) -> tuple[float, float]:
    """Seconds that are wrong (missed, false or of another speaker), and seconds spoken.

    The diarization error rate is their quotient (NIST, Rich Transcription); `collar` seconds
    around each true border are not looked at. Speakers are matched so that the errors are least.
    """
    judged = np.ones(int(seconds * _STEP) + 1, np.bool_)
    for start, end, _ in expected:
        for border in (start, end):
            judged[max(0, round((border - collar) * _STEP)) : round((border + collar) * _STEP)] = 0
    true, answer = (_grid(turns, len(judged))[:, judged] for turns in (expected, found))
    both = true.astype(int) @ answer.T.astype(int)
    right = both[linear_sum_assignment(-both)].sum()
    spoken, said = true.sum(axis=0), answer.sum(axis=0)
    wrong = np.maximum(spoken, said).sum() - right
    return float(wrong) / _STEP, float(spoken.sum()) / _STEP


def _grid(turns: Sequence[Spoken], length: int) -> np.ndarray[tuple[int, int], np.dtype[np.bool_]]:
    speakers = sorted({speaker for _, _, speaker in turns})
    grid = np.zeros((len(speakers), length), np.bool_)
    for start, end, speaker in turns:
        grid[speakers.index(speaker), round(start * _STEP) : round(end * _STEP)] = True
    return grid
