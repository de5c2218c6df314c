"""The two networks, in ONNX: who is active in a window, and what a voice sounds like.

pyannote segmentation-3.0 (MIT; Plaquet and Bredin, Interspeech 2023) and CAM++ (Apache-2.0; Wang
et al., Interspeech 2023), converted by scripts/convert_speaker_models.py. CAM++ is cut before its
pooling: its frames are computed once, and any stretch of them can be pooled into an embedding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime

from daemon.audio import SAMPLE_RATE, FloatArray
from daemon.diarization.features import log_mel

SEGMENTATION = "segmentation.onnx"
VOICE = "voice.onnx"
POOLING = "pooling.npz"

WINDOW = 10 * SAMPLE_RATE  # samples that the segmentation network looks at
FRAMES = 589  # its answers a window
FRAME_SECONDS = WINDOW / SAMPLE_RATE / FRAMES
LOCAL = 3  # voices that it tells apart within a window
SIZE = 192  # numbers that describe a voice
VOICE_FRAMES_A_SECOND = 50

# The network answers with the set of active voices: nobody, a voice, or two voices.
_SETS = np.array(
    [[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 0, 1], [0, 1, 1]], np.float32
)


class Networks:
    """Both networks, loaded once. `threads` is how many processor threads a call may use."""

    FILES = (SEGMENTATION, VOICE, POOLING)

    def __init__(self, folder: Path, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3

        def session(name: str) -> onnxruntime.InferenceSession:
            path = str(folder / name)
            return onnxruntime.InferenceSession(path, options, ["CPUExecutionProvider"])

        self._segmentation = session(SEGMENTATION)
        self._voice = session(VOICE)
        with np.load(folder / POOLING, allow_pickle=False) as pooling:
            self._weight, self._bias = pooling["weight"], pooling["bias"]

    def activities(self, window: FloatArray) -> FloatArray:
        """The probability of each local voice, shape (589, 3), in a window of 160,000 samples."""
        (logs,) = self._segmentation.run(None, {"audio": window[None, None]})
        return np.asarray(np.exp(logs[0]) @ _SETS, np.float32)

    def voice_frames(self, audio: FloatArray) -> FloatArray:
        """What CAM++ hears in `audio` of at least 0.1 s, shape (frames, 512): 50 a second."""
        features = log_mel(audio)
        features -= features.mean(axis=0, keepdims=True)
        (frames,) = self._voice.run(None, {"features": features[None]})
        return np.asarray(frames[0], np.float32)

    def embedding(self, frames: FloatArray) -> FloatArray:
        """The voice in these frames (two at least), as a unit vector of 192."""
        statistics = np.concatenate([frames.mean(axis=0), frames.std(axis=0, ddof=1)])
        vector = self._weight @ statistics + self._bias
        return np.asarray(vector / max(float(np.linalg.norm(vector)), 1e-9), np.float32)
