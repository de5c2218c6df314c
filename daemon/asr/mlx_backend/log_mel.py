"""Log-mel spectrograms of many chunks at once, as openai/whisper computes them for one."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import mlx.core as mx
import numpy as np

from daemon.asr.chunks import WINDOW
from daemon.asr.vocabulary import assets
from daemon.audio import INT16_STEP, SAMPLE_RATE, FloatArray, Int16Array

_WINDOW_SAMPLES = round(WINDOW * SAMPLE_RATE)
_FFT = 400  # samples, 25 ms
_HOP = 160  # samples, 10 ms
_FRAMES = _WINDOW_SAMPLES // _HOP
_FLOOR = 1e-10
_RANGE = 8.0  # powers of ten below a chunk's loudest moment that are kept


def log_mel(chunks: Sequence[FloatArray | Int16Array], mels: int) -> mx.array:
    """Chunks of at most 30 s of 16 kHz audio → (chunks, 3000, mels), float32; silence fills up."""
    arrays = [mx.array(chunk[:_WINDOW_SAMPLES]) for chunk in chunks]
    if any(array.dtype != mx.int16 for array in arrays):
        arrays = [_floats(array) for array in arrays]
    # Whole numbers are stacked as they are: fewer passes over memory of the host's.
    return _log_mel(_floats(mx.stack([_padded(array) for array in arrays])), _filters(mels))


def _floats(samples: mx.array) -> mx.array:
    if samples.dtype != mx.int16:
        return samples
    return samples.astype(mx.float32) * float(INT16_STEP)


def _padded(samples: mx.array) -> mx.array:
    missing = _WINDOW_SAMPLES - len(samples)
    return mx.pad(samples, (0, missing)) if missing else samples


@mx.compile
def _log_mel(windows: mx.array, filters: mx.array) -> mx.array:
    # Mirrored at both ends by half a Fourier frame (torch.stft's centring).
    half = _FFT // 2
    ends = windows[:, half:0:-1], windows[:, -2 : -half - 2 : -1]
    padded = mx.concatenate([ends[0], windows, ends[1]], axis=1)
    rows, samples = padded.shape
    frames = mx.as_strided(padded, (rows, _FRAMES, _FFT), (samples, _HOP, 1))
    spectrum = mx.fft.rfft(frames * _hann())
    power = (mx.real(spectrum).square() + mx.imag(spectrum).square()) @ filters.T
    log_power = mx.log10(mx.maximum(power, _FLOOR))
    loudest = mx.max(log_power, axis=(1, 2), keepdims=True)
    return (mx.maximum(log_power, loudest - _RANGE) + 4.0) / 4.0


def _hann() -> mx.array:
    return mx.array(np.hanning(_FFT + 1)[:-1].astype(np.float32))


@lru_cache(maxsize=2)
def _filters(mels: int) -> mx.array:
    stored = mx.load(str(assets() / "mel_filters.npz"))
    assert isinstance(stored, dict)
    return stored[f"mel_{mels}"]
