"""What every room that works on audio agrees on: its sampling rate and its types."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE = 16_000  # Hz; Whisper and wav2vec2 were both trained on it

FloatArray = NDArray[np.float32]
Span = tuple[float, float]  # (start, end) in seconds
