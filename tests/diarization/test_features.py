"""The oracle is torchaudio's port of Kaldi's filter bank."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torchaudio

from daemon.audio import FloatArray
from daemon.diarization.features import BINS, log_mel


def _kaldi(audio: FloatArray) -> FloatArray:
    waveform = torch.from_numpy(audio)[None]
    features = torchaudio.compliance.kaldi.fbank(
        waveform, num_mel_bins=BINS, sample_frequency=16_000, dither=0.0
    )
    return np.asarray(features.numpy(), np.float32)


@pytest.mark.parametrize("level", [0.5, 0.01])
def test_it_is_kaldis(level: float) -> None:
    audio = np.random.default_rng(7).normal(scale=level, size=16_000).astype(np.float32)
    assert np.abs(log_mel(audio) - _kaldi(audio)).max() < 5e-3


def test_silence_is_finite_and_too_little_audio_has_no_frame() -> None:
    assert np.isfinite(log_mel(np.zeros(16_000, np.float32))).all()
    assert log_mel(np.zeros(399, np.float32)).shape == (0, BINS)
