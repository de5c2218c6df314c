"""Kaldi's filter bank, as the voice network was trained on it.

Source: Kaldi's `compute-fbank-feats` with 80 bins, 25 ms frames every 10 ms, Povey's window and no
dither. A test holds it against torchaudio.compliance.kaldi.fbank.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.fft import rfft

from daemon.audio import SAMPLE_RATE, FloatArray

BINS = 80
SHIFT = 160  # samples: 10 ms
LENGTH = 400  # samples: 25 ms
_FFT = 512
_PREEMPHASIS = np.float32(0.97)
_LOWEST = 20.0  # Hz
_FLOOR = np.finfo(np.float32).eps


def log_mel(audio: FloatArray) -> FloatArray:
    """The log filter-bank energies of `audio`, shape (frames, 80); no frame if it is too short."""
    if len(audio) < LENGTH:
        return np.zeros((0, BINS), np.float32)
    frames = np.lib.stride_tricks.sliding_window_view(audio, LENGTH)[::SHIFT]
    frames = frames - frames.mean(axis=1, keepdims=True)
    frames[:, 1:] -= _PREEMPHASIS * frames[:, :-1]  # the right side is read before it is changed
    frames[:, 0] -= _PREEMPHASIS * frames[:, 0]
    spectrum = rfft(frames * _povey(), _FFT)[:, : _FFT // 2]
    power = spectrum.real**2 + spectrum.imag**2
    return np.asarray(np.log(np.maximum(power @ _filters().T, _FLOOR)), np.float32)


@cache
def _povey() -> FloatArray:
    return np.asarray(np.hanning(LENGTH) ** 0.85, np.float32)


@cache
def _filters() -> FloatArray:
    """Triangles that are evenly spaced in mel, shape (80, 256): bins of the power spectrum."""
    low, high = _mel(np.array([_LOWEST, SAMPLE_RATE / 2], np.float32))
    step = (high - low) / (BINS + 1)
    centres = low + step * np.arange(1, BINS + 1)[:, None]
    mel = _mel(np.asarray(SAMPLE_RATE / _FFT * np.arange(_FFT // 2), np.float32))[None, :]
    rising, falling = (mel - (centres - step)) / step, ((centres + step) - mel) / step
    return np.asarray(np.maximum(0.0, np.minimum(rising, falling)), np.float32)


def _mel(frequency: FloatArray) -> FloatArray:
    return np.asarray(1127.0 * np.log1p(frequency / 700.0), np.float32)
